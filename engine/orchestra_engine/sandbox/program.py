"""Becoming the program of a container: variables, working folder, rlimits, exec. Used by both sandboxes."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# exec puts handlers back by itself, and nobody ignores a signal later; all 64 of them would take a millisecond
_IGNORED = [number for number in range(1, signal.NSIG) if signal.getsignal(number) == signal.SIG_IGN]
_REFERENCE = re.compile(r"\$(?:\$|\(([^()\s]+)\))")


@dataclass(frozen=True, kw_only=True)
class Program:
    """All that exec needs, with paths as the program itself will see them."""

    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdin: int
    stdout: int
    stderr: int
    rlimits: dict[int, int] = field(default_factory=dict)  # resource.RLIMIT_… → value


def expand(text: str, values: Mapping[str, str]) -> str:
    """Replace $(NAME) as Kubernetes does: unknown names stay, `$$` is one dollar (`$$(A)` is the text `$(A)`)."""

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name is None:
            return "$"
        return values.get(name, match.group(0))

    return _REFERENCE.sub(replace, text)


def environment(
    *, own: Sequence[Mapping[str, str]], image_path: Sequence[str], extra: Sequence[Mapping[str, str]], tmp: str
) -> tuple[dict[str, str], dict[str, str]]:
    """The variables of a program and, of these, the manifest's own (the ones that $(NAME) may name).

    `own` is the manifest's list of {name, value} in order, `extra` what the image and the grant add before it.
    """
    result = {"PATH": ":".join([*image_path, SYSTEM_PATH]), "HOME": tmp, "LANG": "C.UTF-8", "TMPDIR": tmp}
    for more in extra:
        result.update(more)
    declared: dict[str, str] = {}
    for item in own:
        declared[item["name"]] = expand(item.get("value", ""), declared)
    result.update(declared)
    return result, declared


class NotRunnable(Exception):
    """The program cannot be started; the text is what Argo's executor says."""


def find(name: str, path: str) -> str:
    """The file that `name` means on `path`, as Go's exec.LookPath finds it. Raises NotRunnable."""
    if "/" in name:
        try:
            if os.path.isdir(name) or not os.access(name, os.X_OK):
                os.stat(name)
                raise NotRunnable(f'failed to find name in PATH: exec: "{name}": permission denied')
        except OSError as error:
            reason = os.strerror(error.errno or errno.ENOENT).lower()
            raise NotRunnable(f'failed to find name in PATH: exec: "{name}": stat {name}: {reason}') from None
        return name
    for folder in path.split(":"):
        candidate = os.path.join(folder or ".", name)
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    raise NotRunnable(f'failed to find name in PATH: exec: "{name}": executable file not found in $PATH')


def become(program: Program, *, keep: Sequence[int] = ()) -> None:
    """Turn this (forked) process into `program`; it never returns.

    `keep` are close-on-exec descriptors that must stay open until the exec has worked.
    Raises NotRunnable, and OSError for anything else.
    """
    os.setsid()
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for target, source in enumerate((program.stdin, program.stdout, program.stderr)):
        os.dup2(source, target)
    low = 3
    for fd in sorted(keep):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    file = _settle(program)
    try:
        os.execve(file, [file, *program.argv[1:]], program.env)  # noqa: S606 - the whole path, as Argo gives it
    except OSError as error:
        raise NotRunnable(_not_executed(file, error)) from None


def spawn(program: Program) -> int:
    """Start `program` as a child in a process group of its own and return its process id.

    The calling process takes over its folder, umask and rlimits, and all descriptors but the program's three have to be
    close-on-exec: so nothing is left to do between fork and exec, and the caller's memory need not be copied for it.
    Raises NotRunnable, and OSError for anything else.
    """
    file = _settle(program)
    given = (program.stdin, program.stdout, program.stderr)
    try:
        return os.posix_spawn(
            file,
            [file, *program.argv[1:]],
            program.env,
            file_actions=[(os.POSIX_SPAWN_DUP2, source, target) for target, source in enumerate(given)],
            setpgroup=0,
            setsigmask=[],
            setsigdef=_IGNORED,
        )
    except OSError as error:
        raise NotRunnable(_not_executed(file, error)) from None


def _not_executed(file: str, error: OSError) -> str:
    return f"fork/exec {file}: {os.strerror(error.errno or 0).lower()}"


def _settle(program: Program) -> str:
    """Give this process the program's folder, umask and rlimits; the file to execute."""
    os.umask(0o022)
    os.chdir(program.cwd)
    if not program.argv:
        raise NotRunnable("no command is given")
    file = find(program.argv[0], program.env["PATH"])
    for kind, value in program.rlimits.items():
        hard = resource.getrlimit(kind)[1]
        soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
        ceiling = soft + 1 if kind == resource.RLIMIT_CPU and (hard == resource.RLIM_INFINITY or soft < hard) else soft
        resource.setrlimit(kind, (soft, ceiling))
    return file
