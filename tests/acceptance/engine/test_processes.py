"""Processes of a node: their results, their ends, and that nothing outlives them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engine_bench import PATIENCE, alive, pod
from orchestra_engine.pod import PATH_MARK, Container, InputArtifact, OutputArtifact, OutputParameter
from orchestra_engine.sandbox import limits
from orchestra_engine.store import LostClaim

Make = Callable[..., Any]

# Forks, daemonises (own session, parents gone) and ignores SIGTERM; every process carries the mark in its command line.
FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
mark = sys.argv[1]
stay = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", stay, mark])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        subprocess.Popen([sys.executable, "-c", stay, mark], start_new_session=True)
        os._exit(0)
    os._exit(0)
os.wait()
time.sleep(0.5)
print("ready", flush=True)
%s
"""


def family(last: str) -> dict[str, Any]:
    mark = f"mark-{uuid.uuid4().hex}"
    return {"mark": mark, "container": {"command": ["python3", "-c"], "args": [FAMILY % last, mark]}}


def test_a_program_that_ends_leaves_its_code_its_output_and_its_result(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    status = bench.run(pod(args=["echo out; sleep 0.1; echo err >&2; exit 3"], capture_result=True))
    assert (status.phase, status.message, status.exit_code) == ("Failed", "main: Error (exit code 3)", 3)
    assert status.outputs == {"exitCode": "3", "result": "out"}
    assert bench.log() == "out\nerr\n"
    assert not (bench.folder() / "scratch").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, 137), (signal.SIGSEGV, 139), (signal.SIGTERM, 143)])
def test_a_signal_is_recorded_as_argo_does(make: Make, sandbox: str, number: int, code: int) -> None:
    status = make(sandbox).run(pod(code=f"import os; os.kill(os.getpid(), {int(number)})"))
    assert (status.phase, status.message) == ("Failed", f"main: Error (exit code {code})")


def test_a_command_that_does_not_exist_says_so(make: Make, sandbox: str) -> None:
    status = make(sandbox).run(pod(container={"command": ["no-such-program"]}))
    assert status.message == (
        "main: Error (exit code 64): failed to find name in PATH: "
        'exec: "no-such-program": executable file not found in $PATH'
    )


def test_a_kill_ends_the_whole_tree_even_what_ignores_sigterm(make: Make, sandbox: str) -> None:
    tree = family("time.sleep(600)")
    bench = make(sandbox)
    bench.start(pod(container=tree["container"]))
    bench.until_logged("ready")
    assert len(alive(tree["mark"])) == 3
    bench.kill(reason="because", grace=0.3)
    status = bench.result()
    assert (status.phase, status.killed, status.message) == ("Failed", "because", "because")
    assert alive(tree["mark"]) == []


def test_what_main_leaves_behind_is_killed_when_it_ends(make: Make, sandbox: str) -> None:
    tree = family("")
    bench = make(sandbox)
    status = bench.run(pod(container=tree["container"], capture_result=True))
    assert status.phase == "Succeeded"
    assert alive(tree["mark"]) == []


def test_a_program_that_obeys_sigterm_may_tidy_up(make: Make, sandbox: str) -> None:
    code = """
    import signal, sys, time
    def end(*_):
        print("tidied", flush=True)
        sys.exit(5)
    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    time.sleep(600)
    """
    bench = make(sandbox)
    bench.start(pod(code=textwrap.dedent(code)))
    bench.until_logged("ready")
    bench.kill(grace=50)
    status = bench.result()
    assert (status.killed, status.exit_code) == ("enough", 5)
    assert bench.log().endswith("tidied\n")


def test_a_pod_killed_before_it_started_never_starts(make: Make, sandbox: str) -> None:
    bench = make(sandbox, most=1)
    bench.start(pod("w-1", args=["sleep 600"]), pod("w-2", args=["echo never"]))
    bench.kill("w-2")
    assert (bench.seen["w-2"].phase, bench.seen["w-2"].killed) == ("Failed", "enough")
    bench.kill("w-1")
    bench.run(pod("w-3", args=["echo next"]))
    assert bench.seen["w-2"].killed == "enough"
    assert not bench.folder("w-2").exists()


def test_a_pod_killed_while_another_engine_may_still_start_it_never_starts(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    bench.folder().mkdir(parents=True)
    bench.kill()
    bench.start(pod(args=["echo never"]))
    assert bench.seen["w-1"].killed == "enough"
    assert not (bench.folder() / "log").exists()


def test_a_pod_that_cannot_be_prepared_ends_with_the_reason_and_those_behind_it_run(make: Make, sandbox: str) -> None:
    bench = make(sandbox, most=1)
    nowhere = pod("w-2", args=["true"], container={"image": "nowhere/no-image"})
    bench.start(pod("w-1", args=["echo one"]), nowhere, pod("w-3", args=["echo three"]))
    assert bench.result("w-3").phase == "Succeeded"
    assert bench.result("w-2").phase == "Error"
    assert "nowhere/no-image" in bench.seen["w-2"].message


def test_a_node_does_not_bring_back_the_folder_of_a_workflow_that_was_removed(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    shutil.rmtree(bench.folder().parent.parent)
    assert bench.run(pod(args=["true"])).phase == "Error"
    assert not bench.folder().parent.parent.exists()


def test_the_log_grows_while_the_program_runs(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    bench.start(pod(args=["echo first; sleep 600"]))
    bench.until_logged("first\n")
    assert bench.seen["w-1"].phase == "Running"
    bench.kill(grace=0)
    assert bench.result().killed == "enough"


def test_no_more_pods_run_at_a_time_than_allowed(make: Make, sandbox: str) -> None:
    bench = make(sandbox, most=2)
    bench.start(*[pod(f"w-{i}", args=["sleep 0.2"]) for i in range(5)])
    most = 0
    while len([s for s in bench.seen.values() if s.phase == "Succeeded"]) < 5:
        events, _ = bench.loop.wait(5)
        bench._note([status for _, status in bench.nodes.observe(events)])
        most = max(most, sum(status.phase == "Running" for status in bench.seen.values()))
    assert most == 2


def test_a_shim_that_is_killed_makes_the_node_an_error_and_leaves_nothing(make: Make, sandbox: str) -> None:
    mark = f"mark-{uuid.uuid4().hex}"
    bench = make(sandbox)
    code = "import subprocess,sys; print('ready', flush=True); subprocess.run(['sleep', '600'])"
    bench.start(pod(container={"command": ["python3", "-c"], "args": [code, mark]}))
    bench.until_logged("ready")
    os.kill(json.loads((bench.folder() / "started").read_text())["pid"], signal.SIGKILL)
    status = bench.result()
    assert status.phase == "Error"
    assert status.message.startswith("the node ended without a result")
    bench.until(lambda: alive(mark) == [])
    bench.until(lambda: not (bench.folder() / "scratch").exists() and list(bench.store.trash.iterdir()) == [])


def test_a_shim_that_was_killed_after_its_node_ended_leaves_no_scratch_folder(make: Make, sandbox: str) -> None:
    first = make(sandbox)
    assert first.run(pod(args=["true"])).phase == "Succeeded"
    (first.folder() / "scratch").mkdir()  # as if it had been killed before it came to that
    again = make(sandbox, claim=2)
    assert again.run(pod(args=["true"])).phase == "Succeeded"
    again.until(lambda: not (again.folder() / "scratch").exists() and list(again.store.trash.iterdir()) == [])


def test_a_node_that_somebody_else_runs_is_not_taken_for_dead(make: Make, sandbox: str) -> None:
    first, second = make(sandbox), make(sandbox)
    first.start(pod(args=["sleep 600"]))
    first.until(lambda: (first.folder() / "log").exists())
    second.kill(grace=0.0)
    assert second.seen["w-1"].phase == "Running"
    assert second.result().message == first.result().message == "enough"


def test_the_spawner_may_die_and_nothing_is_lost(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    bench.start(pod("w-1", args=["sleep 0.5; echo one"]))
    bench.until(lambda: "w-1" in bench.seen)
    bench.loop._spawner.kill()
    bench.loop._spawner.wait()
    bench.start(pod("w-2", args=["echo two"]))
    assert bench.result("w-2").phase == "Succeeded"
    assert bench.result("w-1").phase == "Succeeded"


ENGINE = """
import sys, time
from pathlib import Path
sys.path[:0] = {path!r}
import conftest
from engine_bench import Bench, pod
bench = Bench(Path({root!r}), {sandbox!r}, claim=1)
bench.start(pod("w-1", args=["echo begun; sleep 1.5; echo done > " + {mark!r}],
                output_parameters=[conftest.parameter("o", "/tmp/o")]))
bench.until_logged("begun")
print("ready", flush=True)
time.sleep(600)
"""


def test_a_node_runs_and_leaves_nothing_when_all_that_helps_the_spawner_is_killed(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    bench.run(pod("w-1", args=["true"]))
    helpers = limits.descendants(bench.loop._spawner.pid)  # shims that wait for a node, and the sweeper
    for each in helpers:
        with contextlib.suppress(ProcessLookupError):  # the shim of w-1 may be ending
            os.kill(each, signal.SIGKILL)
    bench.until(lambda: not any(Path(f"/proc/{each}").exists() for each in helpers))
    assert bench.run(pod("w-2", args=["echo here"])).phase == "Succeeded"
    assert bench.log("w-2") == "here\n"
    assert not (bench.folder("w-2") / "scratch").exists()
    assert list(bench.store.trash.glob(f"{json.loads((bench.folder('w-2') / 'started').read_bytes())['pid']}-*")) == []


def test_a_signal_that_came_before_its_node_does_not_end_the_node(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    bench.run(pod("w-1", args=["true"]))
    _, *waiting = limits.descendants(bench.loop._spawner.pid)  # the first is the sweeper
    for each in waiting:
        with contextlib.suppress(ProcessLookupError):  # the shim of w-1 may be ending
            os.kill(each, signal.SIGTERM)
    for i in range(2, 5):
        status = bench.run(pod(f"w-{i}", args=["true"]))
        assert (status.phase, status.message) == ("Succeeded", "")


def test_nothing_waits_for_nodes_any_more_when_the_engine_has_gone(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    bench.run(pod(args=["true"]))
    helpers = limits.descendants(bench.loop._spawner.pid)
    assert helpers
    bench.close()
    end = time.monotonic() + PATIENCE
    while any(runs(each) for each in helpers):
        assert time.monotonic() < end
        time.sleep(0.02)


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_node_outlives_its_engine_and_is_adopted(make: Make, sandbox: str, tmp_path: Path) -> None:
    here = str(Path(__file__).parent)
    code = ENGINE.format(path=[here, *sys.path], root=str(tmp_path), sandbox=sandbox, mark=PATH_MARK % "/tmp/o")
    code = code.replace('conftest.parameter("o", "/tmp/o")', 'OutputParameter(name="o", path="/tmp/o")')
    code = code.replace("import conftest\n", "import conftest\nfrom orchestra_engine.pod import OutputParameter\n")
    first = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert first.stdout is not None and first.stdout.readline() == b"ready\n"
    first.send_signal(signal.SIGKILL)
    first.wait()
    first.stdout.close()
    again = make(sandbox, claim=2)
    again.start(pod("w-1", args=["echo twice"]))
    assert again.seen["w-1"].phase == "Running"
    status = again.result("w-1")
    assert (status.phase, status.outputs["parameters"]) == ("Succeeded", [{"name": "o", "value": "done"}])
    assert again.log() == "begun\n"


def test_a_result_that_came_while_nobody_watched_is_read(make: Make, sandbox: str) -> None:
    first = make(sandbox)
    first.start(pod(args=["sleep 0.3; exit 4"]))
    first.until(lambda: "w-1" in first.seen)
    first.close()
    second = make(sandbox, claim=2)
    second.until(lambda: (second.folder() / "exit.json").exists())
    second.start(pod(args=["exit 0"]))
    assert second.result().exit_code == 4


def test_a_process_of_an_earlier_boot_is_not_taken_for_the_node(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    bench.folder().mkdir(parents=True)
    (bench.folder() / "started").write_text(json.dumps({"boot": "another", "pid": os.getpid(), "start": "1"}))
    bench.start(pod(args=["true"]))
    assert bench.seen["w-1"].phase == "Error"


def test_an_engine_that_lost_its_claim_starts_nothing(make: Make, sandbox: str) -> None:
    old = make(sandbox, claim=1)
    new = make(sandbox, claim=2)
    with pytest.raises(LostClaim):
        old.start(pod(args=["true"]))
    with pytest.raises(LostClaim):
        old.store.save(old.record, sync=False)
    assert not old.folder().exists()
    assert new.run(pod(args=["true"])).phase == "Succeeded"


def test_two_starters_of_one_node_run_it_once(make: Make, sandbox: str) -> None:
    first, second = make(sandbox), make(sandbox)
    for bench in (first, second):
        bench.start(pod(args=["echo once; sleep 0.3"]))
    assert first.result().phase == second.result().phase == "Succeeded"
    assert first.log() == "once\n"


def test_a_starter_does_not_change_what_the_shim_of_another_reads(make: Make, sandbox: str) -> None:
    first, second = make(sandbox), make(sandbox)
    first.nodes._prepare(first.record, pod(args=["first"]), first.folder())
    with open(first.folder() / "pod.json", encoding="utf-8") as order:
        second.nodes._prepare(second.record, pod(args=["second"]), second.folder())
        assert json.load(order)["pod"]["containers"][0]["args"] == ["first"]


def test_containers_of_a_set_follow_their_dependencies(make: Make, private: str) -> None:
    def one(name: str, text: str, *needs: str) -> Container:
        return Container(name=name, image="me", command=["sh", "-c"], args=[text], dependencies=list(needs))

    bench = make(private)
    status = bench.run(
        pod(
            containers=[one("a", "echo a >> /w/log"), one("b", "cat /w/log; exit 3", "a"), one("c", "echo c", "b")],
            empty_dirs=[{"name": "w", "mounts": {"a": "/w", "b": "/w"}}],
        )
    )
    assert (status.phase, status.message, status.exit_code) == ("Failed", "b: Error (exit code 3)", None)
    assert [(each.phase, each.message) for each in status.containers] == [
        ("Succeeded", ""),
        ("Failed", "b: Error (exit code 3): "),
        ("Error", 'c: Error (exit code 64): dependency "b" exited with non-zero code: 3'),
    ]
    assert (bench.folder() / "log.b").read_text() == "a\n"


def test_an_input_may_lie_among_the_machines_programs(make: Make, private: str) -> None:
    bench = make(private)
    prog = InputArtifact(name="p", path="/bin/prog", raw="#!/bin/sh\necho I run\n", mode=0o755)
    status = bench.run(pod(container={"command": ["/bin/prog"]}, inputs=[prog]))
    assert (status.phase, bench.log()) == ("Succeeded", "I run\n")
    assert not Path("/bin/prog").exists()


def test_outputs_are_stored_under_their_keys(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    out = PATH_MARK % "/data/out"
    status = bench.run(
        pod(
            args=[f"mkdir -p {out}/sub; echo hi > {out}/sub/f; echo 1 > {PATH_MARK % '/data/n'}"],
            output_artifacts=[OutputArtifact(name="out", path="/data/out", key="ns/w/out", archive="none")],
            output_parameters=[OutputParameter(name="n", path="/data/n")],
        )
    )
    assert status.phase == ("Succeeded")
    assert status.outputs["artifacts"] == [{"name": "out", "path": "/data/out", "s3": {"key": "ns/w/out"}}]
    assert status.outputs["parameters"] == [{"name": "n", "value": "1"}]
    assert (bench.repository / "ns/w/out/sub/f").read_text() == "hi\n"


def test_a_program_that_stops_its_watcher_is_killed_all_the_same(make: Make) -> None:
    bench = make("plain")
    code = (
        "import os, signal, time; os.kill(os.getppid(), signal.SIGSTOP); print('stopped', flush=True); time.sleep(999)"
    )
    bench.start(pod(code=code))
    bench.until_logged("stopped")
    bench.kill()
    assert bench.result().killed == "enough"
