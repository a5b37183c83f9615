"""The local engine behind Orchestra's engine protocol: Workflows run in processes of this machine."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings

from app.engines.protocol import Fault, Grant, LostClaim, Observation, Refused, Unavailable

Images = Callable[[str], dict[str, Any]]  # from a name to {path, readonly, env}; raises LookupError for an unknown one

_READ_MAX = 1 << 30  # bytes of a log in one piece


class LocalReader:
    """Reads the logs of the local engine's nodes straight from its folders."""

    def read_log(self, *, name: str, node_id: str, offset: int = 0, limit: int | None = None) -> bytes | None:
        """The bytes of a node's log from `offset` on; None if there is no such log."""
        parts = (name, node_id)
        if any(not part or part.startswith(".") or os.sep in part or "\0" in part for part in parts):
            return None
        path = Path(settings.WORKFLOWS_DIR, name, "nodes", node_id, "log")
        try:
            with _opened(path) as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    return None
                if offset >= found.st_size:  # no file system takes any number as a place in a file
                    return b""
                file.seek(offset)
                return file.read(_READ_MAX if limit is None else limit)
        except BlockingIOError:
            return b""
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESPIPE):
                return None
            raise


class LocalEngine(LocalReader):
    """`orchestra_engine.Engine` with the settings' folders, sandbox and bounds."""

    def __init__(self, *, claim: int, images: Images) -> None:
        from orchestra_engine import engine as local
        from orchestra_engine.store import write_atomically

        self._local = local
        self.capacity: int | None = settings.MAX_PODS
        try:
            self._engine = local.Engine(
                local.Config(
                    root=Path(settings.WORKFLOWS_DIR),
                    repository=Path(settings.REPOSITORY_DIR),
                    images=_table(images),
                    sandbox=settings.SANDBOX,
                    claim=claim,
                    max_pods=settings.MAX_PODS,
                    max_nodes=settings.MAX_NODES,
                    grace_seconds=settings.CANCEL_GRACE,
                    limits={"output_bytes": settings.OUTPUT_MAX_BYTES, "file_bytes": settings.OUTPUT_MAX_BYTES},
                )
            )
            self._engine.adopt()
            write_atomically(_sandbox_file(), self._engine.sandbox.encode(), sync=False)
        except local.LostClaim as error:
            raise LostClaim(str(error)) from error
        except RuntimeError as error:
            raise Unavailable(f"the local engine cannot work here: {error}") from error

    @classmethod
    def open(cls, *, claim: int, images: Images) -> LocalEngine:
        """Take the root, with what runs there. Raises `LostClaim` if a later controller has it, `Unavailable`."""
        return cls(claim=claim, images=images)

    @staticmethod
    def reader() -> LocalReader:
        """What reads logs in any process."""
        return LocalReader()

    @staticmethod
    def refusals(
        workflow: dict[str, Any], *, images: Images, templates: Mapping[str, dict[str, Any]] | None = None
    ) -> list[Fault]:
        """What `submit` would refuse of a Workflow without grants, in the sandbox that the last engine here had."""
        from orchestra_engine.admission import Admission
        from orchestra_engine.cluster import Cluster
        from orchestra_engine.config import Refused as EngineRefused

        root = Path(settings.WORKFLOWS_DIR)
        table = _table(images)
        table.links = root / ".images"
        admission = Admission(cluster=Cluster(root), images=table, sandbox=_sandbox())
        try:
            admission.check(workflow, grants=(), as_argo=False, workflow_templates=templates)
        except EngineRefused as error:
            return [Fault(path=one.path, message=one.message) for one in error.faults]
        return []

    def submit(
        self,
        workflow: dict[str, Any],
        *,
        grants: Mapping[str, Grant] | None = None,
        templates: Mapping[str, dict[str, Any]] | None = None,
    ) -> str:
        """Take a Workflow and return its uid. Raises `Refused` with every fault, `LostClaim`."""
        given = {
            name: self._local.Grant(writable=grant.writable, readonly=grant.readonly, env=grant.env or {})
            for name, grant in (grants or {}).items()
        }
        try:
            return self._engine.submit(workflow, grants=given, workflow_templates=templates)
        except self._local.Refused as error:
            raise Refused([Fault(path=one.path, message=one.message) for one in error.faults]) from error
        except self._local.LostClaim as error:
            raise LostClaim(str(error)) from error

    def cancel(self, *, name: str, terminate: bool) -> None:
        """Ask for Argo's Stop or Terminate; unknown or finished names are ignored."""
        try:
            (self._engine.terminate if terminate else self._engine.stop)(name)
        except self._local.NotFound:
            return
        except self._local.LostClaim as error:
            raise LostClaim(str(error)) from error

    def resume(self, *, name: str, node_id: str, parameters: Mapping[str, str]) -> None:
        """Let a waiting node go on, or with "" a Workflow that is suspended; what does not wait is ignored."""
        try:
            if node_id:
                self._engine.resume(name, node_id, parameters)
            elif ((self._engine.get(name) or {}).get("spec") or {}).get("suspend"):
                self._engine.resume(name)
        except (self._local.NotFound, ValueError):
            return
        except self._local.LostClaim as error:
            raise LostClaim(str(error)) from error

    def get(self, *, name: str) -> Observation:
        """The Workflow as it is now; `status` is None if its folder is gone."""
        there = Path(settings.WORKFLOWS_DIR, name, "workflow.json").exists()
        return _observation(name, "", self._engine.get(name) if there else None)

    def delete(self, *, name: str) -> None:
        """Forget a finished Workflow and its folder."""
        try:
            self._engine.delete(name)
        except self._local.LostClaim as error:
            raise LostClaim(str(error)) from error

    def poll(self, *, timeout: float | None, wake: Sequence[int] = ()) -> list[Observation]:
        """Run the Workflows until one changes, a descriptor of `wake` is readable, or `timeout` seconds went by."""
        try:
            seen = self._engine.poll(timeout, wake)
        except self._local.LostClaim as error:
            raise LostClaim(str(error)) from error
        return [_observation(one.name, one.uid, one.workflow) for one in seen]

    def wake(self) -> None:
        """Make a sleeping `poll` return; any thread may call this."""
        self._engine.wake()

    def close(self) -> None:
        """Let go; what runs goes on."""
        self._engine.close()


def _sandbox() -> str:
    """The sandbox that Workflows will run in: `auto` is decided by the engine that works here, which notes it.

    Where none ever did, the one that refuses less is assumed; what it refuses more is told when the run starts.
    """
    if settings.SANDBOX != "auto":
        return str(settings.SANDBOX)
    try:
        return _sandbox_file().read_text()
    except FileNotFoundError:
        return "private"


def _sandbox_file() -> Path:
    return Path(settings.WORKFLOWS_DIR, ".sandbox")


def _opened(path: Path) -> BinaryIO:
    """A log to read. Its program holds it open and may have taken rights away or a lease, which must not hold us up."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.fdopen(os.open(path, flags), "rb")
    except PermissionError:
        path.chmod(0o644)
        return os.fdopen(os.open(path, flags), "rb")


def _table(images: Images) -> Any:
    """The names of images, Orchestra's own too."""
    from orchestra_engine.images import ImageTable

    return ImageTable(prefixes={"orchestra/": partial(_image, images)})


def _observation(name: str, uid: str, workflow: dict[str, Any] | None) -> Observation:
    if workflow is None:
        return Observation(name=name, uid=uid, status=None)
    metadata = workflow.get("metadata") or {}
    return Observation(name=name, uid=uid or str(metadata.get("uid", "")), status=workflow.get("status") or {})


def _image(images: Images, name: str) -> Any:
    """What stands behind one of Orchestra's images."""
    from orchestra_engine.images import Image, UnknownImage

    try:
        found = images(name)
    except LookupError as error:
        raise UnknownImage(str(error.args[0] if error.args else error)) from error
    return Image(path=list(found["path"]), readonly=list(found["readonly"]), env=dict(found["env"]))
