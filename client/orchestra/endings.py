"""How the command ends: its exit codes, and a sentence for each thing that can go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestra import screen

OK, UNSUCCESSFUL, USAGE, UNREACHABLE, SERVER_FAULT, INTERRUPTED = 0, 1, 2, 3, 4, 130
EXIT_CODES = (
    "Exit codes: 0 done; 1 the run or build did not succeed; 2 the command or its input is at fault; "
    "3 the server cannot be reached; 4 the server could not do it; 130 interrupted."
)


def guarded(work: Callable[[], Any]) -> int:
    """Do some work and turn what goes wrong into a sentence on stderr and an exit code."""
    try:
        work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return OK
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else OK
    except Exception as error:
        return _code_of(error)
    return OK


def _code_of(error: Exception) -> int:
    from orchestra import errors

    match error:
        case errors.Left():
            screen.note(str(error))
            return INTERRUPTED
        case errors.Unreachable():
            screen.note(screen.shown(str(error)))
            return UNREACHABLE
        case errors.ServerFault():
            screen.note(screen.shown(str(error)))
            return SERVER_FAULT
        case errors.OrchestraError():
            screen.note(screen.shown(str(error)))
            return USAGE
        case OSError():
            screen.note(str(error))
            return USAGE
    raise error
