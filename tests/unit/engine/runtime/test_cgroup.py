"""Limits by cgroup v2, on a folder with the kernel's files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from orchestra_engine.pod import Container
from orchestra_engine.sandbox import cgroup


@pytest.fixture
def base(tmp_path: Path) -> Path:
    folder = tmp_path / "scope"
    folder.mkdir()
    (folder / "cgroup.controllers").write_text("cpu io memory pids\n")
    (folder / "cgroup.subtree_control").write_text("")
    (folder / "cgroup.procs").write_text("11\n12\n")
    return folder


def test_the_processs_own_group_is_found(tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text(
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 1 0:2 / /cg rw - cgroup2 c rw\n"
    )
    (tmp_path / "mine").write_text("4:memory:/x\n0::/user.slice/a.scope\n")
    assert cgroup.own(tmp_path / "mounts", tmp_path / "mine") == Path("/cg/user.slice/a.scope")
    (tmp_path / "mine").write_text("4:memory:/x\n")
    assert cgroup.own(tmp_path / "mounts", tmp_path / "mine") is None


def test_only_a_group_that_was_delegated_is_divided(base: Path) -> None:
    assert cgroup.delegated(base) is None
    try:
        os.setxattr(base, "user.delegate", b"1")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    assert cgroup.delegated(base) == base
    assert cgroup.delegated(base / cgroup.OURS) == base
    (base / "cgroup.controllers").write_text("cpu\n")
    assert cgroup.delegated(base) is None


def test_dividing_makes_room_for_nodes(base: Path) -> None:
    assert cgroup.divide(base)
    assert (base / cgroup.OURS / "cgroup.procs").read_text() == "12"
    assert (base / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert not cgroup.divide(base / "no-such")


def test_a_node_gets_the_sum_of_its_containers_limits(base: Path) -> None:
    group = cgroup.Group(base, "w-1")
    group.folder.mkdir()
    for name in ("memory.max", "memory.swap.max", "cpu.max", "pids.max", "cgroup.procs"):
        (group.folder / name).write_text("")
    one = Container(name="a", image="i", command=["x"], memory_bytes=100, cpu=0.5)
    group.enter([one, one], 10)
    written = {path.name: path.read_text() for path in group.folder.iterdir()}
    assert written == {
        "memory.max": "200",
        "memory.swap.max": "0",
        "cpu.max": "100000 100000",
        "pids.max": "16",
        "cgroup.procs": "0",
    }


def test_the_kernels_kills_are_noticed(base: Path) -> None:
    group = cgroup.Group(base, "w-1")
    assert not group.out_of_memory()
    group.folder.mkdir()
    (group.folder / "memory.events").write_text("low 0\noom 2\noom_kill 1\n")
    assert group.out_of_memory()
