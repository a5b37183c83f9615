"""The two ways in which a fetch can fail, and what the caller learns from the exit code."""

from __future__ import annotations

PERMANENT, TRANSIENT = 65, 75  # EX_DATAERR and EX_TEMPFAIL of sysexits.h


class Fault(Exception):
    """A failure told in one sentence; `code` is the exit code."""

    code = PERMANENT


class Permanent(Fault):
    """Asking again would fail again: the request itself is wrong."""


class Transient(Fault):
    """AMDA did not answer as it should; asking later may help."""

    code = TRANSIENT
