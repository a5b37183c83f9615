"""The demonstration: a module from git, two dates, real solar wind, a catalog; then the server goes on."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from orchestra import screen
from orchestra.client import FINAL, Client
from orchestra.errors import OrchestraError
from orchestra.transport import DEFAULT_SERVER
from orchestra.waiting import explain, show_catalog

from script.lib import ROOT, processes, read_settings_file
from script.lib.server import PORT, Refusal, Server, port_number, var_folder

MODULE, SUBDIRECTORY = "storms", "modules/storms"
NEEDED = (MODULE, "fetch")
START, STOP = "2001-03-28T00:00:00", "2001-04-14T00:00:00"
OPERATOR = "operator"
AMDA_SECONDS = 30.0
CANCEL_SECONDS = 20.0


class Failed(Exception):
    """A step of the demonstration did not work; the text says which and why."""


@contextlib.contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Show that a step goes on, then how long it took."""
    began = time.monotonic()
    with screen.spinner(title) as say:
        yield lambda text: say(f"{title}: {text}")
    screen.note(f"{title}: done in {time.monotonic() - began:.1f} s")


@contextlib.contextmanager
def sample_amda(log: Path) -> Iterator[str]:
    """Run the sample AMDA; gives its address."""
    with tempfile.TemporaryDirectory(prefix="orchestra-demo-") as folder:
        ready = Path(folder) / "amda"
        argv = [*processes.MANAGE, "sample_amda", "--port", "0", "--ready-file", str(ready)]
        process = processes.start(argv, log=log)
        try:
            until = time.monotonic() + AMDA_SECONDS
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > until:
                    raise Failed("The sample AMDA did not start.")
                time.sleep(0.02)
            yield ready.read_text().strip()
        finally:
            processes.stop(process, seconds=5.0)


def make_operator() -> str:
    """Make the account for the pages under /admin/; gives what to tell about its password."""
    password = secrets.token_urlsafe(12)
    argv = [*processes.MANAGE, "createsuperuser", "--noinput", "--username", OPERATOR, "--email", ""]
    env = processes.environment({"DJANGO_SUPERUSER_PASSWORD": password})
    result = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if result.returncode == 0:
        return f"user {OPERATOR}, password {password} (shown only this once)"
    if "already taken" in result.stderr:
        change = f".venv/bin/python manage.py changepassword {OPERATOR}"
        return f"user {OPERATOR}, whose password was shown when it was made; `{change}` sets another"
    raise Failed(f"The operator's account could not be made: {result.stderr.strip()}")


def register(client: Client) -> None:
    """Register the sample module from this repository's own git history; from its folder if there is none."""
    inside = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    if inside.returncode == 0:
        client.register_git(ROOT.as_uri(), ref=inside.stdout.strip(), subdirectory=SUBDIRECTORY)
    else:
        screen.note("  This copy of Orchestra is no git repository, so the module is registered from its folder.")
        client.register_folder(ROOT / SUBDIRECTORY)


def wait_for_builds(client: Client, server: Server, say: Callable[[str], None]) -> None:
    """Come back when the modules it takes are usable; raises `Failed` with the log's end if one cannot be built."""
    while True:
        server.check()
        modules = [module for module in client.modules() if module["name"] in NEEDED]
        say(", ".join(f"{module['name']} {module['status']}" for module in modules))
        for module in modules:
            made = module["build"]
            if made and made["state"] in {"FAILED", "CANCELLED"} and module["status"] != "installed":
                explain(client, client.execution(made["execution"]))
                raise Failed(f"The module {module['name']} could not be built.")
        if all(module["status"] == "installed" for module in modules):
            return
        time.sleep(0.2)


def predict(client: Client, server: Server, say: Callable[[str], None]) -> int:
    """Run the module over the demonstration's interval; raises `Failed` with the reason if it does not succeed."""
    number = int(client.run(MODULE, start=START, stop=STOP)["id"])
    while (now := client.execution(number))["state"] not in FINAL:
        server.check()
        say(f"{now['state']} {now['message']}".strip())
        time.sleep(0.1)
    if now["state"] != "SUCCEEDED":
        explain(client, now)
        raise Failed("The prediction did not succeed.")
    return number


def demonstrate(server: Server, *, stays: bool) -> None:
    """Everything between a server that is ready and the table; then where to look, now or (not `stays`) later."""
    with Client(server.url) as client:
        with step(f"Registering {MODULE} from git ({SUBDIRECTORY} of this repository)"):
            register(client)
        with step("Building the environments of the modules") as say:
            wait_for_builds(client, server, say)
        with step(f"Predicting storms from {START} to {STOP}") as say:
            execution = predict(client, server, say)
        with step("Making an operator for the pages of the admin"):
            operator = make_operator()
        print(f"\nGeomagnetic storms that {MODULE} predicts from the solar wind alone:\n")
        show_catalog(client.catalog(execution))
    if stays:
        _where_to_look("Where to look", server.url, execution, operator)
    else:
        later = f"http://127.0.0.1:{os.environ.get('ORCHESTRA_PORT') or PORT}"
        _where_to_look("Where to look once `script/server` runs", later, execution, operator)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Let TERM and HUP end the demonstration as Ctrl-C does."""
    raise KeyboardInterrupt


def main() -> int:
    """Run the demonstration; 0 if it went well (and, without --exit, was stopped by a signal)."""
    read_settings_file()
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    port = os.environ.get("ORCHESTRA_PORT") or str(PORT)
    parser.add_argument("--port", type=port_number, default=port, help="of 127.0.0.1; 0 takes a free one (%(default)s)")
    parser.add_argument("--exit", action="store_true", help="stop everything after the table")
    asked = parser.parse_args()
    log = var_folder(os.environ) / "demo.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.open("ab").close()
    except OSError as error:
        print(
            f"script/demo: {log.parent} cannot hold the state: {error}. ORCHESTRA_VAR names another.", file=sys.stderr
        )
        return 1
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        return _run(asked, log)
    except (Refusal, Failed, OrchestraError) as error:
        print(f"script/demo: {error}\nWhat the server said is in {log}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _run(asked: argparse.Namespace, log: Path) -> int:
    with contextlib.ExitStack() as stack:
        with step("Starting the sample AMDA (real OMNI hours of 1999 to 2001)"):
            amda = stack.enter_context(sample_amda(log))
        server = stack.enter_context(Server(port=asked.port, env={"ORCHESTRA_AMDA_URL": amda}, log=log))
        with step(f"Starting Orchestra at {server.url}"):
            server.prepare()
            # The server itself would let what runs go on, and a request may be under way when Ctrl-C comes.
            stack.callback(server.cancel_all, seconds=CANCEL_SECONDS)
            server.start()
        demonstrate(server, stays=not asked.exit)
        if asked.exit:
            return 0
        server.stop_on_signals()
        print(f"\nThe server goes on; its log is {log}. Ctrl-C stops all of it.", flush=True)
        event = server.wait()
        screen.note(f"{event} Stopping …" if event else "Stopping …")
        return 1 if event else 0


def _where_to_look(title: str, url: str, execution: int, operator: str) -> None:
    server = "" if url == DEFAULT_SERVER else f"ORCHESTRA_SERVER={url} "
    print(f"""
{title}
  The file as AMDA gets it        {url}/tasks/{execution}/output
  The task in AMDA's contract     {url}/tasks/{execution}
  Everything about the run        {url}/api/v1/executions/{execution}
  Its log                         {url}/api/v1/executions/{execution}/log
  Its plot                        {url}/tasks/{execution}/output?name=storms.png
  Pages for operators             {url}/admin/  ({operator})
  The command                     {server}.venv/bin/orchestra show {MODULE}""")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
