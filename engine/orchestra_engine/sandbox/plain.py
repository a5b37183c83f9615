"""A container without a root of its own: own session, a scratch folder as cwd and TMPDIR, paths of the machine.

Paths of artifacts and output files that a manifest takes from its tags become paths in the scratch folder; a manifest
that writes them literally cannot run here and is refused (`faults`).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .. import parts
from . import linux
from .program import NotRunnable, Program, become


@dataclass(frozen=True)
class Running:
    """A container's first process and the pipe on which a failed start is reported."""

    pid: int
    report: int


def start(program: Program) -> Running:
    """Start `program` as a child; its report pipe carries {"unrunnable": text} or {"error": text}, else nothing."""
    report_read, report_write = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(report_read)
            with contextlib.suppress(OSError, AttributeError):
                linux.die_with_parent(signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            linux.no_new_privileges()
            become(program, keep=(report_write,))
        except NotRunnable as error:
            os.write(report_write, json.dumps({"unrunnable": str(error)}).encode())
        except BaseException as error:
            os.write(report_write, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        finally:
            os._exit(64)
    os.close(report_write)
    return Running(pid, report_read)


def faults(spec: dict[str, Any]) -> list[tuple[str, str]]:
    """What of a WorkflowSpec cannot run here: (path of the field, reason)."""
    result: list[tuple[str, str]] = []
    for path, template in parts.templates(spec):
        declared = dict(_declared(template))
        for field, container in parts.containers(template):
            for where, text in _texts(container):
                for literal, tag in declared.items():
                    if re.search(re.escape(literal) + r"(?![\w.-])", text):
                        result.append((f"{path}.{field}.{where}", _reason(literal, tag)))
                        break
            folder = str(container.get("workingDir") or "")
            if folder.startswith("/") and "{{" not in folder and not os.path.isdir(folder):
                reason = f"nodes run in the plain sandbox here, and this machine has no folder {folder}"
                result.append((f"{path}.{field}.workingDir", reason))
    return result


def _reason(literal: str, tag: str) -> str:
    advice = f"write {{{{{tag}}}}} instead" if tag else "an emptyDir needs the private root"
    return f"nodes run in the plain sandbox here, where {literal} would be the machine's own: {advice}"


def _declared(template: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(literal path, the tag that stands for it) of a template's artifacts, output files and volumes."""
    for side in ("inputs", "outputs"):
        for artifact in (template.get(side) or {}).get("artifacts") or []:
            if artifact.get("path") and "{{" not in artifact["path"]:
                yield artifact["path"], f"{side}.artifacts.{artifact.get('name')}.path"
    for parameter in (template.get("outputs") or {}).get("parameters") or []:
        path = (parameter.get("valueFrom") or {}).get("path")
        if path and "{{" not in path:
            yield path, f"outputs.parameters.{parameter.get('name')}.path"
    mounts: list[dict[str, Any]] = list((template.get("containerSet") or {}).get("volumeMounts") or [])
    for _, container in parts.containers(template):
        mounts += container.get("volumeMounts") or []
    for mount in mounts:
        if mount.get("mountPath"):
            yield mount["mountPath"], ""


def _texts(container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for field in ("command", "args"):
        for i, text in enumerate(_list(container.get(field))):
            yield f"{field}[{i}]", str(text)
    for i, item in enumerate(_list(container.get("env"))):
        yield f"env[{i}].value", str(item.get("value") or "")
    for field in ("source", "workingDir"):
        if container.get(field):
            yield field, str(container[field])


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []
