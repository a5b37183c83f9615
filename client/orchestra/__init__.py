"""Orchestra's command and Python client: modules in, predictions out, over REST.

from orchestra import Client

with Client() as orchestra:
    run = orchestra.run("storms", start="2001-03-28T00:00:00", stop="2001-04-14T00:00:00")
    orchestra.wait(run["id"])
    print(orchestra.save_output(run["id"]))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestra.client import Client
    from orchestra.errors import OrchestraError

__all__ = ["Client", "OrchestraError"]


def __getattr__(name: str) -> Any:
    """Import on first use: the command starts in the time of its own modules, without httpx."""
    if name == "Client":
        from orchestra.client import Client

        return Client
    if name == "OrchestraError":
        from orchestra.errors import OrchestraError

        return OrchestraError
    raise AttributeError(f"module 'orchestra' has no attribute {name!r}")
