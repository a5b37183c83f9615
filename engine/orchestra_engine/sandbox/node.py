"""One node's run inside its shim: inputs, containers, outputs, and how it ended."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..artifacts import Repository, TooLarge, human
from ..pod import PATH_MARK, Container, Pod, PodStatus, from_dict, is_label, is_mount_path
from . import cgroup, files, limits, plain, private_root
from .program import Program, environment, expand
from .supervise import RESULT_BYTES, Supervisor, Tree, end_everything

SCRIPT = "/argo/staging/script"
_MARK = re.compile(PATH_MARK % "(.*?)", re.DOTALL)
_INPUT_BYTES = 1 << 40  # of all inputs, unless a limit says less


@dataclass(frozen=True, kw_only=True)
class Task:
    """What the loop hands to a shim, as JSON in `pod.json`."""

    pod: dict[str, Any]
    sandbox: str  # private or plain
    repository: str
    trash: str  # folder on the same disk where scratch folders go to be removed
    grace: float  # seconds between TERM and KILL
    images: dict[str, dict[str, Any]]  # image name → {path, readonly, env}
    grant: dict[str, Any] = field(default_factory=dict)  # {writable, readonly, env}
    limits: dict[str, int] = field(default_factory=dict)
    keep_scratch: bool = False
    cgroup: str = ""  # a delegated cgroup v2, if there is one


class KillRequested(Exception):
    """Raised by SIGTERM while no container runs."""


class Node:
    """One run of one node, in a process of its own that is a child subreaper."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        task = from_dict(Task, json.loads((folder / "pod.json").read_bytes()))
        self.task = task
        self.pod = from_dict(Pod, task.pod)
        self.repository = Repository(Path(task.repository))
        self.scratch = folder / "scratch"
        self.private = task.sandbox == "private"
        self.volumes: dict[str, dict[str, Path]] = {}  # container → path inside → folder on disk
        self.views: dict[str, files.View] = {}
        self.group: cgroup.Group | None = None
        self.terminated = False
        self.interruptible = False
        self.started_at = time.time()
        self.wakeup = self._signals()

    def _signals(self) -> int:
        read, write = os.pipe()
        for fd in (read, write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_term)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        return read

    def _on_term(self, *_: object) -> None:
        self.terminated = True
        if self.interruptible:
            self.interruptible = False  # a second signal must not interrupt what is done about the first
            raise KillRequested

    def _kill_order(self) -> dict[str, Any]:
        try:
            order: dict[str, Any] = json.loads((self.folder / "kill").read_bytes())
            return order
        except (OSError, ValueError):
            return {"reason": "the node was told to end (SIGTERM)", "grace": self.task.grace}

    def run(self) -> PodStatus:
        """Run the node; every failure becomes a PodStatus."""
        trees: list[Tree] = []
        try:
            self.interruptible = True
            if self.terminated or (self.folder / "kill").exists():
                raise KillRequested
            try:
                self._lay_out()
            except files.InputError as error:
                return self._status("Error", f"init: Error (exit code 64): {error}")
            trees = self._trees()
            self.interruptible = False
            self._supervise(trees)
            self._blame_memory(trees)
            self.interruptible = True
            if self.terminated:
                raise KillRequested
            return self._conclude(trees)
        except KillRequested:
            self.interruptible = False
            reason = str(self._kill_order()["reason"])
            code = _main_code(trees)
            outputs = {} if code is None else {"exitCode": str(code)}
            return self._status("Failed", reason, trees=trees, outputs=outputs, killed=reason)
        except OSError as error:
            return self._status("Error", self._trouble(error), trees=trees)
        finally:
            self.interruptible = False

    def _trouble(self, error: OSError) -> str:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return f"no space left on the disk of {self.folder}: free some, or use another folder ({error})"
        return f"the node could not be run: {error}"

    def _lay_out(self) -> None:
        """Make the scratch folder and put the inputs into it."""
        self.scratch.mkdir(exist_ok=True)
        for volume in self.pod.empty_dirs:
            # tags are replaced after the manifest was checked, so names and paths may be anything again
            if not is_label(volume["name"]) or not all(map(is_mount_path, volume["mounts"].values())):
                raise files.InputError(f"the volume {volume['name']!r} cannot be mounted: bad name or path")
            folder = self.scratch / ".volumes" / volume["name"]
            folder.mkdir(parents=True)
            folder.chmod(0o777)
            for container, inside in volume["mounts"].items():
                self.volumes.setdefault(container, {})[inside] = folder
        for container in self.pod.containers:
            base = self._base(container)
            if self.private:
                base.mkdir()
                private_root.skeleton(base)
            else:
                (base / "tmp").mkdir(parents=True)
            places = {"/": str(base)}
            places |= {inside: str(folder) for inside, folder in self.volumes.get(container.name, {}).items()}
            places |= {inside: str(folder / "upper") for inside, folder in self._overlays(container).items()}
            self.views[container.name] = files.View(places)
        main = self._main()
        if main is not None and self.pod.inputs:
            staging = self.scratch / ".staging"
            staging.mkdir()
            size = self.task.limits.get("input_bytes", _INPUT_BYTES)
            files.lay_inputs(self.pod.inputs, self.views[main.name], self.repository, str(staging), size)
        if main is not None and not self.private:
            for path in self._output_paths():
                disk = self.views[main.name].resolve(path, make=True)
                os.makedirs(os.path.dirname(disk), exist_ok=True)

    def _base(self, container: Container) -> Path:
        return self.scratch / container.name

    def _main(self) -> Container | None:
        if len(self.pod.containers) == 1:
            return self.pod.containers[0]
        return next((each for each in self.pod.containers if each.name == "main"), None)

    def _named_paths(self, container: Container) -> list[str]:
        named = [container.working_dir] if container.working_dir else []
        if container is self._main():
            named += [each.path for each in self.pod.inputs]
            named += self._output_paths()
        return named

    def _output_paths(self) -> list[str]:
        outputs = [each.path for each in self.pod.output_artifacts]
        return outputs + [each.path for each in self.pod.output_parameters]

    def _overlays(self, container: Container) -> dict[str, Path]:
        """Folders of the machine (/usr) that get a writable layer, because the manifest names a path in them."""
        result: dict[str, Path] = {}
        if not self.private:
            return result
        for path in self._named_paths(container):
            found = private_root.overlaid(path)
            if found is None or (path == container.working_dir and os.path.isdir(path)):
                continue
            folder = self.scratch / ".layers" / container.name / found[0].strip("/")
            for part in ("upper", "work"):
                (folder / part).mkdir(parents=True, exist_ok=True)
            result[found[0]] = folder
        return result

    def _trees(self) -> list[Tree]:
        single = len(self.pod.containers) == 1
        main = self._main()
        return [
            Tree(
                container=each,
                log=self.folder / ("log" if single else f"log.{each.name}"),
                capture=self.pod.capture_result and each is main,
            )
            for each in self.pod.containers
        ]

    def _enter_group(self) -> None:
        if self.task.cgroup:
            self.group = cgroup.Group(Path(self.task.cgroup), f"{self.pod.node_id}.{os.getpid()}")
            processes = {**self.task.limits, **self.pod.limits}.get("processes")
            with contextlib.suppress(OSError):  # the watch over the tree remains
                self.group.enter(self.pod.containers, processes)

    def _blame_memory(self, trees: list[Tree]) -> None:
        if self.group is None or not self.group.out_of_memory():
            return
        total = sum(tree.container.memory_bytes or 0 for tree in trees)
        for tree in trees:
            if tree.phase == "Failed" and not tree.limit:
                tree.limit, tree.message = "memory", f"memory limit of {human(total)} exceeded"

    def leave_group(self) -> None:
        """Give the node's cgroup back, once nothing but this process is in it."""
        if self.group is not None:
            self.group.leave()

    def _supervise(self, trees: list[Tree]) -> None:
        supervisor = Supervisor(
            trees=trees,
            launch=self._launch,
            rules={**self.task.limits, **self.pod.limits},
            wakeup=self.wakeup,
            kill_wanted=lambda: float(self._kill_order()["grace"]) if self.terminated else None,
        )
        self._enter_group()
        try:
            supervisor.run()
        finally:
            end_everything()

    def _launch(self, tree: Tree, stdin: int, stdout: int, stderr: int) -> plain.Running | private_root.Running:
        container = tree.container
        image = self.task.images[container.image]
        base = self._base(container)
        env, declared = environment(
            own=[{**item, "value": self._paths(container, item.get("value") or "")} for item in container.env],
            image_path=image["path"],
            extra=[image["env"], self.task.grant.get("env", {})],
            tmp="/tmp" if self.private else str(base / "tmp"),  # noqa: S108 - the node's own
        )
        argv = [expand(self._paths(container, text), declared) for text in [*container.command, *container.args]]
        if container.source is not None:
            argv.append(self._script(container, self._paths(container, container.source)))
        program = Program(
            argv=argv,
            env=env,
            cwd=self._working_dir(container),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            rlimits=limits.rlimits({**self.task.limits, **self.pod.limits}, container.memory_bytes),
        )
        if not self.private:
            return plain.start(program)
        root = private_root.Root(
            base=base,
            readonly=[*image["readonly"], *self.task.grant.get("readonly", [])],
            writable=list(self.task.grant.get("writable", [])),
            named=self._named_paths(container),
            volumes=self.volumes.get(container.name, {}),
            overlays=self._overlays(container),
        )
        return private_root.start(root, program)

    def _paths(self, container: Container, text: str) -> str:
        """Replace the marks of paths by the paths that the program will see."""

        def seen(match: re.Match[str]) -> str:
            path = match.group(1)
            return path if self.private else self.views[container.name].resolve(path, make=True)

        return _MARK.sub(seen, text)

    def _script(self, container: Container, source: str) -> str:
        disk = self.views[container.name].resolve(SCRIPT, make=True)
        Path(disk).write_text(source, encoding="utf-8", newline="")
        os.chmod(disk, 0o555)  # noqa: S103 - a program in a private folder
        return SCRIPT if self.private else disk

    def _working_dir(self, container: Container) -> str:
        folder = self._paths(container, container.working_dir or "")
        if not self.private:
            return folder or str(self._base(container))
        if folder and not (private_root.overlaid(folder) and os.path.isdir(folder)):
            os.makedirs(self.views[container.name].resolve(folder, make=True), exist_ok=True)
        return folder or "/"

    def _conclude(self, trees: list[Tree]) -> PodStatus:
        """Take the outputs of main and say how the pod ended."""
        failed = next((tree for tree in trees if tree.phase == "Failed"), None)
        failed = failed or next((tree for tree in trees if tree.phase == "Error"), None)
        phase, message, limit = "Succeeded", "", ""
        if failed is not None:
            phase, limit = failed.phase, failed.limit
            message = f"{failed.container.name}: Error (exit code {failed.code})"
            message += f": {failed.message}" if failed.message else ""
        code = _main_code(trees)
        main = self._main()
        if main is None:
            return self._status(phase, message, trees=trees, limit=limit)
        size = {**self.task.limits, **self.pod.limits}.get("output_bytes", _INPUT_BYTES)
        outputs = files.Outputs(self.views[main.name], self.repository, size)
        outputs.parameters(self.pod.output_parameters)
        try:
            outputs.artifacts(self.pod.output_artifacts)
        except TooLarge as error:
            phase, limit = "Failed", "output_bytes"
            message = f"limit of {human(size)} for outputs exceeded ({error})"
        if outputs.unusable:
            code, phase = 64, "Failed"
            message = f"{main.name}: Error (exit code 64): {outputs.unusable}"
        elif outputs.errors and phase == "Succeeded":
            phase, message = "Error", f"wait: Error (exit code 64): {''.join(outputs.errors)}"
        values = outputs.values
        if code is not None:
            values["exitCode"] = str(code)
        if self.pod.capture_result:
            tree = next(tree for tree in trees if tree.container is main)
            data = tree.result.removesuffix(b"\n")
            values["result"] = data[-RESULT_BYTES:].decode("utf-8", "replace")
        return self._status(phase, message, trees=trees, outputs=values, limit=limit, code=code)

    def _status(
        self,
        phase: str,
        message: str,
        *,
        trees: list[Tree] | None = None,
        outputs: dict[str, Any] | None = None,
        killed: str = "",
        limit: str = "",
        code: int | None = None,
    ) -> PodStatus:
        return PodStatus(
            node_id=self.pod.node_id,
            phase=phase,
            message=message,
            exit_code=code if code is not None else _main_code(trees or []),
            started_at=self.started_at,
            finished_at=time.time(),
            outputs=outputs or {},
            containers=[tree.as_status() for tree in trees or []],
            killed=killed,
            limit=limit,
        )


def _main_code(trees: list[Tree]) -> int | None:
    if len(trees) == 1:
        return trees[0].code
    return next((tree.code for tree in trees if tree.container.name == "main"), None)
