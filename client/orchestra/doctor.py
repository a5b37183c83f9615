"""`orchestra doctor`: what this machine has, what it lacks, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestra import screen
from orchestra.endings import OK, UNSUCCESSFUL

if TYPE_CHECKING:
    import httpx

MINORS = tuple(f"3.{minor}" for minor in range(9, 15))
KERNEL = (5, 10)
LEAST_FREE, ENOUGH_FREE = 200 * 2**20, 2 * 2**30  # bytes
MOST_SKEW = 2.0  # seconds; a Date header has whole ones
KUBECTL_SECONDS = 10


class State(StrEnum):
    """How a check went: FAIL means that something asked for cannot work."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class Check:
    """What was looked at, what was found, and what to do."""

    name: str
    state: State
    found: str
    advice: str = ""


STYLES = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}


def doctor(
    server: Annotated[
        str | None,
        typer.Option("--server", envvar="ORCHESTRA_SERVER", help="Also ask this server.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Look at this machine (and a server): what works, what does not, what to do. Exit code 1 if something fails."""
    checks: list[Check] = []
    for check in examine(server):
        checks.append(check)
        if not as_json:
            _show(check)
    fine = all(check.state is not State.FAIL for check in checks)
    if as_json:
        screen.print_json({"ok": fine, "checks": [asdict(check) for check in checks]})
    raise typer.Exit(OK if fine else UNSUCCESSFUL)


def examine(server: str | None) -> Iterator[Check]:
    """All checks, one after the other."""
    here = _working_folder()
    looks: list[Callable[[], Check]] = [python, system, engine, uv, git]
    if importlib.util.find_spec("orchestra_engine") is not None:
        looks += [interpreters, lambda: sandbox(here), limits]
    looks.append(lambda: disk(here))
    for look in looks:
        yield look()
    yield from of_server(server)
    yield argo()


def _working_folder() -> Path:
    """The working folder, by its name even if it is not there any more."""
    try:
        return Path.cwd()
    except OSError:
        return Path(os.environ.get("PWD") or ".")


def _show(check: Check) -> None:
    from rich.text import Text

    console = screen.console()
    line = Text.assemble((f"{check.state:<5}", STYLES[check.state]), (f"{check.name:<13}", "bold"), " ")
    console.print(line + Text(screen.shown(check.found)))
    if check.advice:
        console.print(Text(f"{'':19}{screen.shown(check.advice)}", style="dim"))


# --- this machine --------------------------------------------------------------------------------------------------
def python() -> Check:
    """The Python that runs the command."""
    return Check(name="Python", state=State.OK, found=f"{platform.python_version()}, {sys.executable}")


def system() -> Check:
    """The kernel: the local engine needs Linux's pidfds and epoll."""
    name, release = platform.system(), platform.release()
    if not hasattr(os, "pidfd_open") or not hasattr(select, "epoll"):
        advice = (
            f"It needs Linux {'.'.join(map(str, KERNEL))} or newer: use a server (--server), a Linux machine or WSL 2."
        )
        return Check(name="system", state=State.FAIL, found=f"{name} {release}: no local engine", advice=advice)
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < KERNEL:
        advice = f"Only Linux {'.'.join(map(str, KERNEL))} and newer are promised to work."
        return Check(name="system", state=State.WARN, found=f"{name} {release}", advice=advice)
    return Check(name="system", state=State.OK, found=f"{name} {release}, {os.cpu_count()} processors")


def engine() -> Check:
    """The local engine's package."""
    if importlib.util.find_spec("orchestra_engine") is None:
        advice = "`orchestra workflow` and `orchestra lint` need it: pip install orchestra-engine."
        return Check(name="local engine", state=State.WARN, found="not installed", advice=advice)
    return Check(name="local engine", state=State.OK, found="installed")


def uv() -> Check:
    """uv, which builds modules' environments."""
    beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    advice = "A server on this machine needs it to build modules: pip install uv."
    return _program("uv", beside, advice)


def git() -> Check:
    """git, which fetches modules."""
    advice = "A server on this machine needs it to register modules from git URLs: install your system's package git."
    return _program("git", os.environ.get("PATH", os.defpath), advice)


def _program(name: str, path: str, advice: str) -> Check:
    found = shutil.which(name, path=path)
    if found is None:
        return Check(name=name, state=State.WARN, found="not found on PATH", advice=advice)
    code, said = _ask([found, "--version"])
    if code != 0:
        return Check(name=name, state=State.WARN, found=f"{found} does not run: {said}", advice=advice)
    return Check(name=name, state=State.OK, found=f"{said}, {found}")


def _ask(argv: list[str], *, seconds: float = KUBECTL_SECONDS) -> tuple[int, str]:
    """The exit code of a program and the first line that it said."""
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        return 124, f"no answer within {seconds:g} s"
    except OSError as error:
        return 127, str(error)
    said = (done.stdout if done.returncode == 0 else done.stderr or done.stdout).strip()
    return done.returncode, said.split("\n", 1)[0]


def interpreters() -> Check:
    """The Pythons that images such as python:3.12 may mean."""
    from orchestra_engine.images import find_python

    found = {minor: at[0] for minor in MINORS if (at := find_python(minor))}
    if not found:
        advice = "Images such as python:3.12 cannot run: install a Python, as with `uv python install 3.12`."
        return Check(name="interpreters", state=State.WARN, found="none for images python:3.x", advice=advice)
    named = ", ".join(f"{minor} ({path})" for minor, path in found.items())
    absent = [minor for minor in MINORS if minor not in found]
    advice = f"Not here: {', '.join(absent)}; `uv python install {absent[-1]}` adds one." if absent else ""
    return Check(name="interpreters", state=State.OK, found=named, advice=advice)


def sandbox(folder: Path) -> Check:
    """Which sandbox nodes get below `folder`, and what the lesser one cannot do."""
    from orchestra_engine.sandbox import why_no_private_root

    try:
        reason = why_no_private_root(str(folder) if os.access(folder, os.W_OK) else "")
    except OSError as error:
        advice = "Free some room, or set TMPDIR to a folder that can be written."
        found = f"it cannot be tried: {error.strerror or error}"
        return Check(name="sandbox", state=State.FAIL, found=found, advice=advice)
    if not reason:
        found = "private root: nodes see only their own files; paths of a manifest mean what they mean in a container"
        return Check(name="sandbox", state=State.OK, found=found)
    found = f"plain, because there can be no private root here: {reason}"
    advice = (
        "Plain nodes see this machine's files; a manifest that writes absolute paths of artifacts itself (instead of "
        "{{inputs.artifacts.NAME.path}}), has an absolute workingDir, or an emptyDir, is refused. "
        f"{_way_to_namespaces()}"
    )
    return Check(name="sandbox", state=State.WARN, found=found, advice=advice)


def _way_to_namespaces() -> str:
    apparmor = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    try:
        if apparmor.read_text().strip() == "1":
            return "An administrator can allow it: sysctl kernel.apparmor_restrict_unprivileged_userns=0."
    except OSError:
        pass
    return "It needs unprivileged user namespaces; in a container: allow unshare and mount (seccomp, AppArmor)."


def limits() -> Check:
    """How the limits of a node are kept."""
    from orchestra_engine.sandbox import cgroup

    if cgroup.delegated(cgroup.own()) is not None:
        return Check(name="limits", state=State.OK, found="memory, processors and processes by a delegated cgroup v2")
    return Check(
        name="limits",
        state=State.WARN,
        found="no delegated cgroup v2: memory by RLIMIT_DATA and a watchdog, limits.cpu is ignored",
        advice="With systemd: systemd-run --user --scope -p Delegate=yes orchestra workflow run FILE.",
    )


def disk(folder: Path) -> Check:
    """The room for nodes' files below `folder`."""
    try:
        free = shutil.disk_usage(folder).free
        inodes = os.statvfs(folder)
    except OSError as error:
        return Check(name="disk", state=State.FAIL, found=f"{folder}: {error.strerror}", advice="Go to another folder.")
    found = f"{free / 2**30:.1f} GiB free in {folder}"
    advice = "Free some room, or work in a folder of another disk."
    if not os.access(folder, os.W_OK):
        return Check(name="disk", state=State.WARN, found=f"{folder} is not writable", advice="Go to another folder.")
    if inodes.f_files and inodes.f_favail < 1000:
        found, free = f"{inodes.f_favail} files can still be made in {folder}", 0
    state = State.OK if free >= ENOUGH_FREE else State.WARN if free >= LEAST_FREE else State.FAIL
    return Check(name="disk", state=state, found=found, advice="" if state is State.OK else advice)


# --- elsewhere -----------------------------------------------------------------------------------------------------
def of_server(server: str | None) -> Iterator[Check]:
    """The server, its database and its clock."""
    if not server:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        yield Check(name="database", state=State.OK, found="none is needed here; --server URL asks for a server's")
        yield Check(name="clock", state=State.OK, found=f"{now} UTC; --server URL compares it with a server's")
        return
    import httpx

    from orchestra.errors import Unreachable
    from orchestra.transport import CONNECT_SECONDS, server_address

    try:
        address = server_address(server)
    except Unreachable as error:
        yield Check(name="server", state=State.FAIL, found=str(error), advice="Look at --server or ORCHESTRA_SERVER.")
        return
    began = datetime.now(UTC)
    try:
        answer = httpx.get(f"{address}/api/v1/ready", timeout=CONNECT_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        advice = "Is it running, and is the address right? `script/server` starts one."
        found = f"{address} does not answer: {error}"
        yield Check(name="server", state=State.FAIL, found=found, advice=advice)
        return
    middle = began + (datetime.now(UTC) - began) / 2
    yield from _readiness(address, answer.status_code, _json(answer))
    yield clock(answer.headers.get("Date"), middle)


def _json(answer: httpx.Response) -> dict[str, object]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {}


def _readiness(address: str, status: int, body: dict[str, object]) -> Iterator[Check]:
    checks = body.get("checks")
    if status not in (200, 503) or not isinstance(checks, dict):
        advice = "Something else listens there: look at the address."
        yield Check(
            name="server", state=State.FAIL, found=f"{address} answered {status}, not as Orchestra", advice=advice
        )
        return
    yield Check(name="server", state=State.OK, found=f"{address} answers")
    for name, check in checks.items():
        fine = isinstance(check, dict) and check.get("ok") is True
        message = str(check.get("message") or "") if isinstance(check, dict) else ""
        advice = "" if fine else "Look at the server's own log; its machine needs it before anything can run."
        yield Check(name=f"{name}", state=State.OK if fine else State.FAIL, found=message or "ready", advice=advice)


def clock(date: str | None, ours: datetime) -> Check:
    """This machine's clock beside the server's, from a Date header."""
    if not date:
        return Check(name="clock", state=State.WARN, found="the server did not say what time it has")
    try:
        # The header has whole seconds, rounded down: half a second is the best guess.
        skew = abs((parsedate_to_datetime(date) - ours).total_seconds() + 0.5)
    except (ValueError, TypeError):
        return Check(name="clock", state=State.WARN, found=f"the server's Date is no time: {date}")
    if skew <= MOST_SKEW:
        return Check(name="clock", state=State.OK, found="agrees with the server's")
    advice = "Set both by NTP (timedatectl set-ntp true): deadlines and times in logs are wrong by as much."
    return Check(name="clock", state=State.WARN, found=f"{skew:.0f} s apart from the server's", advice=advice)


def argo() -> Check:
    """Whether Argo Workflows can be reached from here: kubeconfig, kubectl, the cluster, its Workflows."""
    name = "Argo"
    config = _kubeconfig()
    if config is None:
        advice = "Only for running on Kubernetes: set KUBECONFIG, or put the file at ~/.kube/config."
        return Check(name=name, state=State.WARN, found="no kubeconfig", advice=advice)
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        advice = "Only for running on Kubernetes: install kubectl to have this looked at."
        return Check(name=name, state=State.WARN, found=f"{config}, but no kubectl to ask with", advice=advice)
    argv = [kubectl, "--request-timeout=5s", "get", "crd", "workflows.argoproj.io", "-o", "name"]
    code, said = _ask(argv)
    if code == 0:
        return Check(name=name, state=State.OK, found=f"the cluster of {config} has Argo's Workflows")
    if "NotFound" in said:
        advice = "Install Argo Workflows in the cluster (k8s/ has what Orchestra needs)."
        return Check(name=name, state=State.WARN, found=f"the cluster of {config} has no Argo Workflows", advice=advice)
    advice = "Look at the cluster, the context (kubectl config current-context) and your rights."
    return Check(name=name, state=State.WARN, found=f"{config}: {said}", advice=advice)


def _kubeconfig() -> str | None:
    """Where the access to a cluster is described; None if nowhere."""
    given = os.environ.get("KUBECONFIG", "")
    for path in given.split(os.pathsep) if given else [os.path.expanduser("~/.kube/config")]:
        if path and os.path.exists(path):
            return path
    inside = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    return inside if os.path.exists(inside) else None
