"""A small AMDA on this machine: real OMNI hours behind AMDA's own REST calls. Knows neither Django nor Orchestra."""
