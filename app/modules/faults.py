"""What is wrong with what somebody gave us: all of it at once, each fault with the path of its field."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from app.engines.protocol import Fault

Steps = tuple[str | int, ...]  # keys and indices that lead to a value


class Faulty(Exception):
    """Something given by a person cannot be accepted; `faults` has every reason with its path."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        super().__init__("; ".join(f"{one.path}: {one.message}" if one.path else one.message for one in faults))


def fault(path: str, message: str) -> Faulty:
    """A `Faulty` with one reason, ready to be raised."""
    return Faulty([Fault(path=path, message=message)])


def path_of(steps: Sequence[str | int]) -> str:
    """A path as people read it: `annexes_outputs[1].filename`."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def near_miss(word: str, known: Iterable[str]) -> str:
    """`, did you mean …?` if one of the known words resembles `word`, else nothing."""
    by_fold = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.75)
    return f", did you mean {by_fold[close[0]]}?" if close else ""
