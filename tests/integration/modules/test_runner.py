"""`orchestra-run`: a module is called as AMDA's always were, and its end is passed on as it was."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.modules.images import PROGRAMS

SHOW = """
import json, os, sys
seen = {"argv": sys.argv, "cwd": os.getcwd(), "env": dict(os.environ)}
json.dump(seen, open(os.path.join(sys.argv[1], "seen.json"), "w"))
"""


@dataclass
class Ran:
    code: int
    log: str
    work: Path

    @property
    def seen(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.work / "out" / "seen.json").read_text())
        return found


Run = Callable[..., Ran]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a module whose tree is read-only, as stored ones are; keywords are those of request.json."""

    def call(files: dict[str, str], *, given: bool = True, bytecode: Path | None = None, **request: Any) -> Ran:
        tree, work = tmp_path / "tree", tmp_path / "work"
        work.mkdir()
        for name, text in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
            (tree / name).chmod(0o444)
        for parent, _, _ in os.walk(tree):
            Path(parent).chmod(0o555)
        defaults = {"executable": "run", "start": "2001-03-28T00:00:00", "stop": "2001-04-14T00:00:00", "arguments": []}
        (work / "request.json").write_text(json.dumps(defaults | request))
        (tmp_path / "bin").mkdir()
        for name in ("python", "python3"):
            (tmp_path / "bin" / name).symlink_to(Path(sys.base_prefix) / "bin" / "python3")
        command = [PROGRAMS / "orchestra-run", "--request", work / "request.json", "--output", work / "out"]
        if given:
            (work / "in").mkdir()
            command += ["--input", work / "in"]
        environment = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "ORCHESTRA_MODULE": str(tree), "HOME": str(work)}
        if bytecode:
            environment["ORCHESTRA_BYTECODE"] = str(bytecode)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=work)
        return Ran(done.returncode, done.stdout + done.stderr, work)

    return call


def test_the_command_line_is_amdas(run: Run) -> None:
    ran = run({"run.py": SHOW}, arguments=[["threshold", "0.5"], ["title", 'l\'été; $(touch x) && "y"']])
    assert ran.code == 0
    assert ran.seen["argv"] == [
        "run.py", str(ran.work / "out"), "--start", "2001-03-28T00:00:00", "--stop", "2001-04-14T00:00:00",
        "--threshold", "0.5", "--title", "l'été; $(touch x) && \"y\"",
    ]  # fmt: skip
    assert not list(ran.work.rglob("x"))


def test_the_module_sees_its_variables_and_nothing_of_orchestras(run: Run) -> None:
    ran = run({"run.py": SHOW})
    assert {name: value for name, value in ran.seen["env"].items() if name.startswith("ORCHESTRA_")} == {
        "ORCHESTRA_START": "2001-03-28T00:00:00",
        "ORCHESTRA_STOP": "2001-04-14T00:00:00",
        "ORCHESTRA_INPUT_DIR": str(ran.work / "in"),
        "ORCHESTRA_OUTPUT_DIR": str(ran.work / "out"),
    }


def test_without_inputs_the_input_folder_is_empty(run: Run) -> None:
    ran = run({"run.py": "import os\nprint(os.listdir(os.environ['ORCHESTRA_INPUT_DIR']))\n"}, given=False)
    assert ran.log == "[]\n"


def test_the_module_runs_in_a_copy_of_its_own_that_it_may_write_to(run: Run) -> None:
    source = "import os\nopen('run.py', 'a').write('#')\nos.mkdir('data/new')\nprint(os.getcwd())\n"
    ran = run({"run.py": source, "data/model.txt": "weights"})
    assert ran.code == 0
    assert ran.log.startswith(str(ran.work / "module"))
    assert (ran.work.parent / "tree" / "run.py").read_text() == source


def test_links_and_rights_are_copied(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "latest").symlink_to("data/model.txt")
    (tmp_path / "tree" / "tool").write_text("#!/bin/sh\necho from the tool\n")
    (tmp_path / "tree" / "tool").chmod(0o555)
    ran = run({"run.py": "print(open('latest').read())", "data/model.txt": "weights"}, pre_process=[["./tool"]])
    assert ran.log == "from the tool\nweights\n"


def test_steps_before_and_after_run_in_order(run: Run) -> None:
    ran = run(
        {"run.py": "print('module')", "step.py": "import sys\nprint(*sys.argv[1:])"},
        pre_process=[["python", "step.py", "one", "a b"], ["echo", "two"]],
        post_process=[["python", "step.py", "three"]],
    )
    assert ran.log == "one a b\ntwo\nmodule\nthree\n"


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        (
            {"pre_process": [["python", "-c", "exit(3)"]]},
            3,
            "pre_process[0] (python -c exit(3)) ended with exit code 3",
        ),
        ({"pre_process": [["true"], ["absent-program"]]}, 127, "pre_process[1]: absent-program cannot be started"),
        ({"pre_process": [["./run.py"]]}, 126, "pre_process[0]: ./run.py cannot be started"),
        ({"executable": "fail"}, 4, "the module (python fail.py"),
        ({"post_process": [["false"]]}, 1, "post_process[0] (false) ended with exit code 1"),
    ],
)
def test_the_first_step_that_fails_is_named_and_gives_the_exit_code(
    run: Run, request_: dict[str, Any], code: int, words: str
) -> None:
    ran = run({"run.py": "print('ran')", "fail.py": "raise SystemExit(4)"}, **request_)
    assert ran.code == code
    assert words in ran.log
    assert ("ran\n" in ran.log) == ("post_process" in request_)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT])
def test_a_signal_is_passed_on(run: Run, number: signal.Signals) -> None:
    ran = run({"run.py": f"import os\nos.kill(os.getpid(), {number.value})"})
    assert ran.code == -number
    assert f"was ended by {number.name}" in ran.log


def test_output_is_not_held_back(run: Run) -> None:
    ran = run({"run.py": "import os\nprint('first')\nos.kill(os.getpid(), 9)"})
    assert ran.log.startswith("first\n")


def test_a_request_to_end_reaches_the_module(tmp_path: Path, run: Run) -> None:
    source = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('told'), os._exit(5)))\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "time.sleep(60)\n"
    )
    ran = run({"run.py": source})
    assert ran.code == 5
    assert ran.log.startswith("told\n")


def test_compiled_bytecode_is_used_and_never_stale(run: Run, tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "helper.py").write_text("value = 1\n")
    cached = tmp_path / "bytecode" / "__pycache__" / f"helper.{sys.implementation.cache_tag}.pyc"
    program = (
        "import py_compile, sys; py_compile.compile(sys.argv[1], cfile=sys.argv[2], "
        "invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)"
    )
    python = Path(sys.base_prefix) / "bin" / "python3"
    subprocess.run([python, "-c", program, tmp_path / "source" / "helper.py", cached], check=True)
    source = "import helper\nprint(helper.value)\nopen('helper.py', 'w').write('value = 2')\n"
    source += "import importlib\nprint(importlib.reload(helper).value)\n"
    ran = run({"run.py": source, "helper.py": "value = 1\n"}, bytecode=tmp_path / "bytecode")
    assert ran.log == "1\n2\n"


@pytest.mark.parametrize(
    "words", [[], ["--request"], ["--request", "x"], ["--other", "x", "--request", "x", "--output", "y"]]
)
def test_a_wrong_call_says_how(words: list[str]) -> None:
    done = subprocess.run([PROGRAMS / "orchestra-run", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 64
    assert "usage: orchestra-run" in done.stderr


@pytest.mark.parametrize("spaces", ["", "\n"])
def test_a_request_may_be_laid_out_in_any_way(tmp_path: Path, spaces: str) -> None:
    request = {"executable": "run", "start": "2001-03-28T00:00:00", "arguments": [["t", 'é😀"\\n']], "n": [1, -2.5e3]}
    text = spaces + json.dumps(request, indent=2 if spaces else None) + spaces
    assert _reads(tmp_path, text).stdout == repr(request) + "\n"


def test_a_malformed_request_is_complained_about_with_its_place(tmp_path: Path) -> None:
    for text in ("", '{"executable": }', '{"executable": "run"} more'):
        done = _reads(tmp_path, text)
        assert done.returncode != 0
        assert "line 1 column" in done.stderr


def test_nothing_is_imported_that_would_delay_the_module(tmp_path: Path) -> None:
    before, after = (_reads(tmp_path, "{}", then=f"import {name}").stderr.count("\n") for name in ("sys", "json"))
    assert before < after, "the count of imports tells nothing"
    assert not {"json", "re", "enum", "signal", "typing"} & set(
        re.findall(r"\w+$", _reads(tmp_path, "{}").stderr, re.M)
    )


def _reads(folder: Path, request: str, *, then: str = "") -> subprocess.CompletedProcess[str]:
    """The request as `orchestra-run` reads it, printed; stderr lists what was imported."""
    (folder / "request.json").write_text(request, encoding="utf-8")
    code = (PROGRAMS / "orchestra-run").read_text().replace("main(sys.argv[1:])", f"print(read(sys.argv[1])); {then}")
    argv = [sys.executable, "-I", "-S", "-X", "importtime", "-c", code, str(folder / "request.json")]
    return subprocess.run(argv, capture_output=True, text=True, check=False)
