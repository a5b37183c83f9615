"""A root of its own for a container: user, mount and PID namespaces, made without any privilege.

The programs of the machine (/usr, /bin, /lib*), the image's folders and a few files of /etc are there read-only, at the
same paths; /dev is small, /proc its own; everything else is an empty folder on disk (/etc, /dev, /dev/shm and /sys in
memory, unless the manifest puts something there). The namespace's first process (here: init) ends with the program,
and the kernel then ends all that is left.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import select
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import linux
from .program import NotRunnable, Program, spawn

BASE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = (
    "alternatives", "ca-certificates", "ca-certificates.conf", "fonts", "gai.conf", "group", "host.conf", "hosts",
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf", "os-release", "passwd",
    "pki", "protocols", "resolv.conf", "services", "ssl", "timezone",
)  # fmt: skip
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}
PROCESSORS = "/sys/devices/system/cpu"  # lscpu, loky and OpenBLAS count them here
PROC_READONLY = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi")
SHM_BYTES = 256 * 1024 * 1024  # /dev/shm, if it is in memory
_SHM = "dev/shm"
_FOLDERS = ("tmp", "var", "var/tmp", "proc", "dev", "run", "root", "etc", "sys")
_IN_MEMORY = ("etc", "dev", "sys")  # many small mount points, which a disk would have to make and to forget
_NAMESPACES = linux.CLONE_NEWUSER | linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWIPC
_MEMORY_BYTES = 16 * 1024 * 1024  # for what programs write to /etc and /dev


@dataclass(frozen=True, kw_only=True)
class Root:
    """What is mounted where. `base` is the folder on disk that becomes `/`."""

    base: Path
    readonly: list[str] = field(default_factory=list)  # folders and files of the machine, same path inside
    writable: list[str] = field(default_factory=list)  # likewise, but writable
    named: list[str] = field(default_factory=list)  # where the manifest puts and looks for files
    volumes: dict[str, Path] = field(default_factory=dict)  # path inside → folder on disk
    overlays: dict[str, Path] = field(default_factory=dict)  # /usr and the like → folder for what is written there


def overlaid(path: str) -> tuple[str, str] | None:
    """If `path` lies in a read-only folder of the machine: that folder's path and the rest, links of `/` followed."""
    parts = [part for part in path.split("/") if part]
    if not parts or f"/{parts[0]}" not in BASE or not os.path.exists(f"/{parts[0]}"):
        return None
    inside = [part for part in os.path.realpath(f"/{parts[0]}").split("/") if part] + parts[1:]
    return f"/{inside[0]}", "/".join(inside[1:])


def skeleton(base: Path) -> None:
    """Make the folders that every root has, and the links of `/` (such as /bin → usr/bin). `base` is empty."""
    for name in _FOLDERS:
        os.mkdir(f"{base}/{name}")
    for name in ("tmp", "var/tmp"):
        os.chmod(f"{base}/{name}", stat.S_ISVTX | 0o777)  # noqa: S103 - as in every root
    folders, links = machine()
    for path, link in links.items():
        os.symlink(link, f"{base}{path}")
    for path in folders:
        os.mkdir(f"{base}{path}")


@functools.cache
def machine() -> tuple[list[str], dict[str, str]]:
    """Those of BASE that are folders, and those that are links, with where they lead."""
    links = {path: os.readlink(path) for path in BASE if os.path.islink(path)}
    return [path for path in BASE if path not in links and os.path.isdir(path)], links


def _shown(root: Root) -> Iterator[str]:
    """What is shown read-only, at the same path inside."""
    folders, _ = machine()
    yield from (path for path in folders if path not in root.overlays)
    yield from (f"/etc/{name}" for name in ETC)
    yield from (f"/dev/{name}" for name in DEVICES)  # read-only too: else their owner could change their rights
    yield PROCESSORS
    within = tuple(path + "/" for path in folders)
    yield from (path for path in root.readonly if not (path + "/").startswith(within))


@dataclass(frozen=True)
class Binds:
    """What is to be mounted where: (source, target) each."""

    readonly: list[tuple[str, str]]
    writable: list[tuple[str, str]]


def in_memory(root: Root) -> list[str]:
    """The folders of `/` that are kept in memory: those in which nothing of the manifest or of the image lies."""
    return [name for name in _IN_MEMORY if not _is_used(root, [name])]


def _is_used(root: Root, folder: list[str]) -> bool:
    """Does the manifest or the image put something into `folder`, or look for something there?"""
    named = [_parts(path) for path in (*root.named, *root.readonly, *root.writable, *root.volumes)]
    return any(".." in parts or parts[: len(folder)] == folder for parts in named)


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def prepare(root: Root) -> Binds:
    """Make the mount points below `root.base`; what is not on this machine is left out."""
    os.makedirs(f"{root.base}/{_SHM}", exist_ok=True)
    for name, link in DEVICE_LINKS.items():
        os.symlink(link, f"{root.base}/dev/{name}")
    for path in root.overlays:
        os.makedirs(f"{root.base}{path}", exist_ok=True)
    writable = [(path, path) for path in root.writable]
    writable += [(str(folder), inside) for inside, folder in root.volumes.items()]
    return Binds(
        readonly=[bind for path in _shown(root) if (bind := _mount_point(root.base, path, path))],
        writable=[bind for source, inside in writable if (bind := _mount_point(root.base, source, inside))],
    )


def _mount_point(base: Path, source: str, inside: str) -> tuple[str, str] | None:
    """The bind of `source`, its target made as a folder or file as the source is one; None if there is no source."""
    try:
        folder = stat.S_ISDIR(os.stat(source).st_mode)
    except OSError:
        return None
    target = f"{base}{inside}"
    try:
        if folder:
            os.mkdir(target)
        else:
            os.mknod(target)
    except (FileExistsError, FileNotFoundError):
        os.makedirs(target if folder else os.path.dirname(target), exist_ok=True)
        if not folder:
            with contextlib.suppress(FileExistsError):
                os.mknod(target)
    return source, target


@dataclass(frozen=True)
class Running:
    """A container's process tree seen from outside: its init, the pipe that rules it, the pipe that it reports on."""

    pid: int
    control: int
    report: int


def start(root: Root, program: Program) -> Running:
    """Start `program` in `root`. The caller must be a child subreaper with a single thread.

    The report pipe carries lines of JSON: {"error": text} (the root could not be made), {"unrunnable": text} or
    {"exit": code}. A byte T on the control pipe sends SIGTERM to every process inside; its end kills them all.
    """
    owner = os.getuid(), os.getgid()
    control_read, control_write = os.pipe()
    report_read, report_write = os.pipe()
    try:
        pid = linux.fork_into(_NAMESPACES)
    except OSError:
        for fd in (control_read, control_write, report_read, report_write):
            os.close(fd)
        raise
    if pid == 0:
        for fd in (control_write, report_read):
            os.close(fd)
        _child(lambda: _init(root, program, owner, control_read, report_write), report_write)
    os.close(control_read)
    os.close(report_write)
    return Running(pid, control_write, report_read)


def _child(work: Callable[[], None], report: int) -> None:
    """Run `work` in a forked process and end it whatever happens (a copy must never run on); a failure is reported."""
    try:
        work()
    except NotRunnable as error:
        _tell(report, {"unrunnable": str(error)})
    except BaseException as error:
        _tell(report, {"error": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(1)


def _tell(report: int, message: dict[str, object]) -> None:
    with contextlib.suppress(OSError):
        os.write(report, json.dumps(message).encode() + b"\n")


def _map_owner(uid: int, gid: int) -> None:
    """Be the same user inside as outside: all others are nobody there."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        fd = os.open(f"/proc/self/{name}", os.O_WRONLY)
        os.write(fd, text.encode())
        os.close(fd)


def _mount_memory(base: str, names: Sequence[str]) -> None:
    """Put the folders `names` of a root into memory."""
    hidden = f"{base}/proc"  # the real one is mounted over it
    data = f"mode=755,size={_MEMORY_BYTES}"
    linux.mount("tmpfs", hidden, kind="tmpfs", flags=linux.MS_NOSUID | linux.MS_NODEV, data=data)
    for name in names:
        os.mkdir(f"{hidden}/{name}")
        linux.bind(f"{hidden}/{name}", f"{base}/{name}")


def _build(root: Root) -> None:
    base, memory = str(root.base), in_memory(root)
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.bind(base, base)
    _mount_memory(base, memory)
    binds = prepare(root)
    for source, target in binds.readonly:
        linux.bind(source, target)
    linux.mount("proc", f"{base}/proc", kind="proc", flags=linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    for path in (f"{base}/proc/{name}" for name in PROC_READONLY):
        if os.path.exists(path):
            linux.bind(path, path)
    linux.make_readonly(base)  # all of it in one call; what is mounted from here on can be written to
    for path in (base, f"{base}/proc", *(f"{base}/{name}" for name in memory if name != "sys")):
        linux.make_writable(path)
    for inside, upper in root.overlays.items():
        data = f"lowerdir={inside},upperdir={upper}/upper,workdir={upper}/work,userxattr"
        linux.mount("overlay", base + inside, kind="overlay", flags=linux.MS_NODEV, data=data)
    for source, target in binds.writable:
        linux.bind(source, target)
    if not _is_used(root, _SHM.split("/")):
        data = f"mode=1777,size={SHM_BYTES}"
        linux.mount("tmpfs", f"{base}/{_SHM}", kind="tmpfs", flags=linux.MS_NOSUID | linux.MS_NODEV, data=data)
    linux.pivot_root(base)


def _init(root: Root, program: Program, owner: tuple[int, int], control: int, report: int) -> None:
    """The namespace's first process: build the root, start the program, wait for its end or for the control pipe's."""
    _map_owner(*owner)
    _build(root)
    linux.no_new_privileges()
    linux.drop_capabilities()
    linux.hide_from_ptrace()
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)  # to a first process the kernel then delivers none from inside
    pid = spawn(program)
    for fd in {program.stdin, program.stdout, program.stderr}:
        os.close(fd)
    poll = select.poll()
    poll.register(wake_read, select.POLLIN)
    poll.register(control, select.POLLIN)
    code = None
    while code is None:
        ready = dict(poll.poll())
        if control in ready:
            order = os.read(control, 1)
            if not order:
                os._exit(1)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(-1, signal.SIGTERM)
        with contextlib.suppress(BlockingIOError):
            os.read(wake_read, 512)
        code = _reap(pid)
    _tell(report, {"exit": code})
    os._exit(0)


def _reap(main: int) -> int | None:
    """Take the ended children; the exit code of `main` (128 + the signal that ended it) once it is among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == main:
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    return code


def why_not(scratch: Path) -> str:
    """Make a private root below `scratch` and run /bin/true in it; empty if that works, else the reason.

    The calling process must have a single thread; it becomes a child subreaper.
    """
    if sys.platform != "linux":
        return "it needs Linux"
    try:
        linux.become_subreaper()
        devnull = os.open("/dev/null", os.O_RDWR)
        program = Program(
            argv=["/bin/true"], env={"PATH": "/bin"}, cwd="/", stdin=devnull, stdout=devnull, stderr=devnull
        )
        skeleton(scratch)
        running = start(Root(base=scratch), program)
        with os.fdopen(running.report, "rb") as report:
            said = report.read()
        os.waitpid(running.pid, 0)
        message = json.loads(said.splitlines()[0]) if said else {"error": "its first process ended without a word"}
    except OSError as error:
        message = {"error": str(error)}
    if message.get("exit") == 0:
        return ""
    reason = str(message.get("error") or message.get("unrunnable") or f"/bin/true ended with {message.get('exit')}")
    return f"{reason}{_hint()}"


def _hint() -> str:
    for file, bad, hint in (
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "AppArmor forbids unprivileged user namespaces",
        ),
        (
            "/proc/sys/kernel/unprivileged_userns_clone",
            "0",
            "the kernel's setting forbids unprivileged user namespaces",
        ),
        ("/proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces is 0"),
    ):
        with contextlib.suppress(OSError), open(file, encoding="utf-8") as text:
            if text.read().strip() == bad:
                return f" ({hint}: {file} is {bad})"
    return ""
