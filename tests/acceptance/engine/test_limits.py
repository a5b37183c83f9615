"""The limits that a node meets: memory, processes, processor time, sizes of files and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine_bench import pod
from orchestra_engine.pod import PATH_MARK, OutputArtifact

Make = Callable[..., Any]
MIB = 1024 * 1024


def test_a_log_that_has_reached_its_limit_is_told_though_nothing_more_fits_into_it(make: Make, sandbox: str) -> None:
    code = "import sys\nwhile True:\n    sys.stdout.write('x' * 100000)"
    status = make(sandbox).run(pod(code=code, limits={"file_bytes": MIB}))
    assert (status.phase, status.limit) == ("Failed", "file_bytes")
    assert "limit of 1 MiB for a file exceeded" in status.message


def test_too_much_memory_ends_the_node_and_says_so(make: Make, sandbox: str) -> None:
    code = "import time\na = []\nfor i in range(60):\n    a.append(bytearray(b'x' * (10 << 20)))\n    time.sleep(0.02)"
    status = make(sandbox).run(pod(code=code, container={"memory_bytes": 100 * MIB}))
    assert (status.phase, status.limit) == ("Failed", "memory")
    assert "memory limit of 100 MiB exceeded" in status.message


def test_memory_is_counted_over_the_whole_tree(make: Make, sandbox: str) -> None:
    code = """
import os, time
for _ in range(4):
    if os.fork() == 0:
        a = bytearray(b"x" * (60 << 20)); time.sleep(60); os._exit(0)
for _ in range(4): os.wait()
"""
    status = make(sandbox).run(pod(code=code, container={"memory_bytes": 150 * MIB}))
    assert status.limit == "memory"


def test_one_huge_allocation_is_told_as_the_memory_limit(make: Make, sandbox: str) -> None:
    status = make(sandbox).run(pod(code="bytearray(4 << 30)", container={"memory_bytes": 100 * MIB}))
    assert (status.phase, status.limit) == ("Failed", "memory")


def test_memory_that_forks_share_is_counted_once(make: Make, sandbox: str) -> None:
    code = """
import os, time
a = bytearray(b"x" * (60 << 20))
for _ in range(4):
    if os.fork() == 0:
        time.sleep(0.5); os._exit(0)
for _ in range(4): os.wait()
"""
    assert make(sandbox).run(pod(code=code, container={"memory_bytes": 200 * MIB})).phase == "Succeeded"


def test_too_many_processes_end_the_node(make: Make, sandbox: str) -> None:
    code = "import subprocess\nfor _ in range(30): subprocess.Popen(['sleep', '60'])\nimport time; time.sleep(60)"
    status = make(sandbox).run(pod(code=code, limits={"processes": 10}))
    assert (status.phase, status.limit) == ("Failed", "processes")
    assert "limit of 10 processes exceeded" in status.message


def test_cpu_seconds_end_the_node(make: Make, sandbox: str) -> None:
    status = make(sandbox).run(pod(code="while True: pass", limits={"cpu_seconds": 1}))
    assert (status.phase, status.limit) == ("Failed", "cpu_seconds")


def test_files_and_outputs_have_bounds(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    out = PATH_MARK % "/tmp/out"
    artifact = OutputArtifact(name="out", path="/tmp/out", key="k")
    file = bench.run(pod("w-1", args=[f"head -c 3000000 /dev/zero > {out}"], limits={"file_bytes": MIB}))
    assert (file.phase, file.limit) == ("Failed", "file_bytes")
    large = pod("w-2", args=[f"head -c 3000000 /dev/zero > {out}"], output_artifacts=[artifact])
    output = bench.run(
        pod("w-2", containers=large.containers, output_artifacts=[artifact], limits={"output_bytes": MIB})
    )
    assert (output.phase, output.limit) == ("Failed", "output_bytes")
    assert "limit of 1 MiB for outputs exceeded" in output.message
    assert not (bench.repository / "k").exists()
