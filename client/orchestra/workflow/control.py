"""Stop, terminate, suspend, resume and set: what is asked of workflows that have not ended."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from orchestra.desk import DeskError
from orchestra.endings import OK
from orchestra.workflow import tree
from orchestra.workflow.again import until_end
from orchestra.workflow.driver import Driver, Interrupts
from orchestra.workflow.folder import Folder
from orchestra.workflow.request import Request
from orchestra.workflow.view import View

_ENDS = ("stop", "terminate")


def control(folder: Folder, names: Sequence[str], request: Request) -> int:
    """Do to workflows what is asked; those that nobody runs are run on to their end.

    The exit code. Raises DeskError.
    """
    asked: dict[str, dict[str, Any]] = {}
    for name in names:
        workflow = folder.workflow(name)
        if tree.finished(workflow):
            raise DeskError(f"{name} has ended already ({tree.phase_of(workflow)})")
        asked[name] = request.of(workflow)
    with Driver(folder) as driver, Interrupts() as interrupts:
        for name, more in asked.items():
            driver.control(name, request.what, **more)
        if request.what in _ENDS:
            for name in asked:
                until_end(driver, name, View(sys.stdout, live=False), interrupts)
            return OK
        if driver.engine is None:
            return OK
        if request.what == "suspend":
            for name in asked:
                print(f"{name} is suspended; `orchestra workflow resume {name}` lets it go on.")
            return OK
        return max(until_end(driver, name, View(sys.stdout), interrupts) for name in asked)
