"""What a node can see and reach, and what leaves it."""

from __future__ import annotations

import ctypes
import errno
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_bench import pod
from orchestra_engine.pod import PATH_MARK, Container, InputArtifact, OutputArtifact, OutputParameter
from orchestra_engine.sandbox import plain

Make = Callable[..., Any]


def test_the_private_root_shows_nothing_of_the_machine(make: Make, private: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    code = f"""
import os
print(os.path.exists({str(secret)!r}), os.path.exists({os.path.expanduser("~/.bashrc")!r}))
print(sorted(os.listdir("/tmp")), sorted(os.listdir("/run")))
print([p for p in os.listdir("/proc") if p.isdigit()], os.getcwd())
for path in ("/usr/x", "/etc/passwd", "/proc/sys/kernel/hostname"):
    try:
        open(path, "w")
        print("written", path)
    except OSError as error:
        print(error.strerror)
open("/anywhere", "w").write("fine")
print(open("/proc/self/status").read().split("CapEff:")[1].split()[0])
"""
    bench = make(private)
    status = bench.run(pod(code=code))
    lines = bench.log().splitlines()
    assert status.phase == "Succeeded", lines
    # Where the interpreter itself lies below /tmp, the way to it is there.
    way = [Path(sys.prefix).parts[2]] if Path(sys.prefix).parts[1] == "tmp" else []
    assert lines[:3] == ["False False", f"{way} []", "['1', '2'] /"]
    assert all("Read-only" in line or "denied" in line for line in lines[3:6])
    assert lines[6] == "0" * 16
    assert not Path("/anywhere").exists()


@pytest.mark.skipif(not Path("/sys/devices/system/cpu").is_dir(), reason="this machine does not tell its processors")
def test_a_node_can_count_the_processors_and_change_none(make: Make, private: str) -> None:
    code = """
import os
processors = "/sys/devices/system/cpu"
print(sorted(os.listdir(processors)))
try:
    open(processors + "/probe", "w")
except OSError as error:
    print(error.errno)
"""
    bench = make(private)
    assert bench.run(pod(code=code)).phase == "Succeeded"
    assert bench.log().splitlines() == [str(sorted(os.listdir("/sys/devices/system/cpu"))), str(errno.EROFS)]


def test_a_node_may_write_to_etc_and_hand_out_what_it_wrote(make: Make, private: str) -> None:
    bench = make(private)
    write = "echo mine > /etc/own && cat /etc/own && test -s /etc/passwd && : > /dev/null"
    kept = bench.run(pod("w-1", args=[write], output_parameters=[OutputParameter(name="own", path="/etc/own")]))
    assert (kept.phase, kept.outputs["parameters"]) == ("Succeeded", [{"name": "own", "value": "mine"}])
    assert bench.run(pod("w-2", args=[write])).phase == "Succeeded"
    assert bench.log("w-2") == "mine\n"


def test_what_a_node_leaves_in_shared_memory_is_its_output(make: Make, private: str) -> None:
    output = OutputParameter(name="o", path="/dev/shm/o")
    status = make(private).run(pod(args=["echo -n found > /dev/shm/o"], output_parameters=[output]))
    assert status.outputs["parameters"] == [{"name": "o", "value": "found"}]


def test_containers_of_a_set_may_share_a_volume_in_the_place_of_shared_memory(make: Make, private: str) -> None:
    def one(name: str, text: str, *needs: str) -> Container:
        return Container(name=name, image="me", command=["sh", "-c"], args=[text], dependencies=list(needs))

    bench = make(private)
    status = bench.run(
        pod(
            containers=[one("a", "echo shared > /dev/shm/x"), one("b", "cat /dev/shm/x", "a")],
            empty_dirs=[{"name": "memory", "mounts": {"a": "/dev/shm", "b": "/dev/shm"}}],
        )
    )
    assert status.phase == "Succeeded", status.message
    assert (bench.folder() / "log.b").read_text() == "shared\n"


def test_no_signal_of_a_program_ends_the_process_that_started_it(make: Make, private: str) -> None:
    bench = make(private)
    status = bench.run(pod(args=["for s in INT TERM HUP QUIT USR1 KILL; do kill -$s 1; done; echo alive"]))
    assert (status.phase, status.message) == ("Succeeded", "")
    assert "alive" in bench.log()


def test_a_program_has_no_descriptors_but_its_three(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    bench.run(pod(code="import os; print(os.listdir('/proc/self/fd'))"))  # the fourth is the one that it lists with
    assert sorted(bench.log().strip("[]\n").split(", ")) == ["'0'", "'1'", "'2'", "'3'"]


def test_nodes_see_only_the_variables_they_are_given(make: Make, sandbox: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    env = [{"name": "A", "value": "plain"}, {"name": "B", "value": "$(A) $(NOPE) $$(A)"}]
    bench = make(sandbox)
    bench.run(pod(container={"command": ["python3", "-c"], "args": [
        "import json,os,sys; print(json.dumps([dict(os.environ), sys.argv[1:]]))", "$(A)"], "env": env}))  # fmt: skip
    seen, arguments = json.loads(bench.log())
    assert arguments == ["plain"]
    assert seen.pop("B") == "plain $(NOPE) $(A)"
    seen.pop("LC_CTYPE", None)
    assert sorted(seen) == ["A", "HOME", "LANG", "PATH", "TMPDIR"]
    assert seen["HOME"] == seen["TMPDIR"]


def test_nothing_of_a_node_can_be_written_into_the_repository_by_hand(make: Make, private: str) -> None:
    bench = make(private)
    bench.repository.mkdir()
    bench.run(pod(code=f"import os; print(os.path.exists({str(bench.repository)!r}))"))
    assert bench.log() == "False\n"


LINKS = [
    ("a file of the machine", "ln -s {secret} {out}"),
    ("a folder of the machine", "ln -s {folder} {out}"),
    ("dots", "ln -s ../../../../../../../../../..{secret} {out}"),
    ("a link in a folder", "mkdir {out}; ln -s {secret} {out}/inner"),
]


@pytest.mark.parametrize("archive", ["none", "tar", "zip"])
@pytest.mark.parametrize("how", [command for _, command in LINKS], ids=[name for name, _ in LINKS])
def test_links_do_not_carry_the_machines_files_out(
    make: Make, sandbox: str, tmp_path: Path, how: str, archive: str
) -> None:
    (tmp_path / "folder").mkdir()
    secret = tmp_path / "folder" / "secret"
    secret.write_text("the secret")
    command = how.format(secret=secret, folder=secret.parent, out=PATH_MARK % "/tmp/out")
    artifact = OutputArtifact(name="out", path="/tmp/out", key="k/out", archive=archive)
    parameter = OutputParameter(name="p", path="/tmp/out", default="")
    bench = make(sandbox)
    status = bench.run(pod(args=[command], output_artifacts=[artifact], output_parameters=[parameter]))
    assert "the secret" not in json.dumps(status.outputs)
    for path in bench.repository.rglob("*") if bench.repository.exists() else ():
        if path.is_file():
            assert b"the secret" not in path.read_bytes()
            if archive == "tar":
                with tarfile.open(path) as packed:
                    assert all(not member.isreg() for member in packed)


def test_a_link_within_the_node_is_followed(make: Make, sandbox: str) -> None:
    out, real = PATH_MARK % "/tmp/out", PATH_MARK % "/work/real"
    bench = make(sandbox)
    status = bench.run(
        pod(
            args=[f"mkdir -p $(dirname {real}); echo fine > {real}; ln -s {real} {out}"],
            output_artifacts=[OutputArtifact(name="o", path="/tmp/out", key="k", archive="none")],
            output_parameters=[OutputParameter(name="r", path="/work/real")],
        )
    )
    assert status.phase == "Succeeded"
    assert (bench.repository / "k").read_text() == "fine\n"


def test_a_name_that_is_no_utf8_is_told_in_text_that_can_be_stored(make: Make, sandbox: str) -> None:
    out = PATH_MARK % "/tmp/out"
    artifact = OutputArtifact(name="out", path="/tmp/out", key="k/out")
    fifo = f"name=$(printf '\\377'); mkdir {out}; mkfifo {out}/$name"
    status = make(sandbox).run(pod(args=[fifo], output_artifacts=[artifact]))
    assert "out/\\xff is a named pipe" in status.message.encode().decode()


@pytest.mark.parametrize("what", ["mkfifo {out}", "mkdir {out}; mkfifo {out}/x"])
def test_special_files_are_refused_as_outputs(make: Make, sandbox: str, what: str) -> None:
    artifact = OutputArtifact(name="out", path="/tmp/out", key="k/out")
    status = make(sandbox).run(pod(args=[what.format(out=PATH_MARK % "/tmp/out")], output_artifacts=[artifact]))
    assert status.phase == "Error"
    assert "a named pipe" in status.message


def _archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as packed:
        for info, data in members:
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))


def _member(name: str, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def test_archives_cannot_write_outside_their_input(make: Make, sandbox: str, tmp_path: Path) -> None:
    link = _member("d/link", type=tarfile.SYMTYPE, linkname=str(tmp_path))
    hard = _member("d/hard", type=tarfile.LNKTYPE, linkname="../../../../secret")
    bad = {
        "dots": [(_member("../../escaped"), b"x")],
        "absolute": [(_member(str(tmp_path / "escaped")), b"x")],
        "link": [(link, b""), (_member("d/link/escaped"), b"x")],
        "hard": [(hard, b"")],
        "device": [(_member("d/dev", type=tarfile.CHRTYPE, devmajor=1, devminor=3), b"")],
    }
    bench = make(sandbox)
    for number, (name, members) in enumerate(bad.items()):
        _archive(bench.repository / name, *members)
        artifact = InputArtifact(name="in", path="/data/in", key=name)
        status = bench.run(pod(f"w-{number}", args=["true"], inputs=[artifact]))
        assert status.phase == "Error", name
        assert status.message.startswith("init: Error (exit code 64): artifact in failed to load: member"), name
    assert not [folder for folder, _, files in os.walk(tmp_path) if "escaped" in files]


def test_an_input_is_a_copy_that_the_node_may_spoil(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    bench.repository.mkdir()
    (bench.repository / "k").write_text("original")
    path = PATH_MARK % "/data/in"
    status = bench.run(
        pod(args=[f"echo spoilt > {path}"], inputs=[InputArtifact(name="in", path="/data/in", key="k", archive="none")])
    )
    assert status.phase == "Succeeded"
    assert (bench.repository / "k").read_text() == "original"


def test_a_missing_input_is_said_as_argo_does(make: Make, sandbox: str) -> None:
    status = make(sandbox).run(pod(args=["true"], inputs=[InputArtifact(name="in", path="/tmp/in", key="no/such")]))
    text = "init: Error (exit code 64): artifact in failed to load: The specified key does not exist."
    assert (status.phase, status.message) == ("Error", text)


def test_a_key_cannot_leave_the_repository(make: Make, sandbox: str, tmp_path: Path) -> None:
    out = OutputArtifact(name="out", path="/tmp/out", key="../escaped", archive="none")
    status = make(sandbox).run(pod(args=[f"echo x > {PATH_MARK % '/tmp/out'}"], output_artifacts=[out]))
    assert status.phase == "Error"
    assert "'../escaped' is not allowed" in status.message
    assert not (tmp_path / "escaped").exists()


def test_a_grant_shows_further_folders(make: Make, sandbox: str, tmp_path: Path) -> None:
    for name in ("cache", "shown"):
        (tmp_path / name).mkdir()
    grant = {"writable": [str(tmp_path / "cache")], "readonly": [str(tmp_path / "shown")], "env": {"GRANTED": "yes"}}
    bench = make(sandbox, grants={"build": grant})
    code = f"import os; open({str(tmp_path / 'cache' / 'f')!r}, 'w').write(os.environ['GRANTED'])"
    assert bench.run(pod("w-1", code=code, grant="build")).phase == "Succeeded"
    assert (tmp_path / "cache" / "f").read_text() == "yes"
    (tmp_path / "cache" / "f").unlink()
    without = bench.run(pod("w-2", code=code))
    assert without.phase == "Failed"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can make a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False)
    if done.returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_a_clear_error(small_disk: Path, sandbox: str) -> None:
    bench = sys.modules["engine_bench"].Bench(small_disk, sandbox)
    out = PATH_MARK % "/tmp/out"
    artifact = OutputArtifact(name="out", path="/tmp/out", key="k")
    status = bench.run(
        pod(args=[f"head -c 1900000 /dev/urandom > {out}"], output_artifacts=[artifact], capture_result=True)
    )
    bench.close()
    assert status.phase == "Error"
    assert "no space left on the disk" in status.message.lower()


def test_a_scratch_folder_that_cannot_be_moved_is_removed_where_it_is(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    bench.store.trash.write_text("no folder")
    assert bench.run(pod(args=["true"])).phase == "Succeeded"
    bench.until(lambda: not (bench.folder() / "scratch").exists())


def test_literal_paths_are_refused_where_there_is_no_private_root() -> None:
    spec = {
        "templates": [
            {
                "name": "t",
                "outputs": {"artifacts": [{"name": "o", "path": "/tmp/o"}], "parameters": []},
                "container": {"image": "busybox", "command": ["sh", "-c"], "args": ["echo > /tmp/o", "/tmp/other"]},
            },
            {
                "name": "u",
                "inputs": {"artifacts": [{"name": "i", "path": "/data/i"}]},
                "script": {"image": "busybox", "command": ["sh"], "source": "cat {{inputs.artifacts.i.path}}"},
            },
            {"name": "v", "container": {"image": "busybox", "command": ["pwd"], "workingDir": "/no/such/folder"}},
        ]
    }
    found = dict(plain.faults(spec))
    assert sorted(found) == ["spec.templates[0].container.args[0]", "spec.templates[2].container.workingDir"]
    assert "{{outputs.artifacts.o.path}}" in found["spec.templates[0].container.args[0]"]


def test_a_node_cannot_change_the_machines_devices(make: Make, private: str) -> None:
    before = os.stat("/dev/full").st_mode
    bench = make(private)
    bench.run(pod(args=["chmod 0600 /dev/full && echo changed; echo x > /dev/null && cat /dev/null && echo usable"]))
    assert os.stat("/dev/full").st_mode == before
    assert bench.log().splitlines()[-1] == "usable"
    assert "changed" not in bench.log().splitlines()


def test_a_node_does_not_get_the_keys_of_the_servers_session(make: Make, sandbox: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    number = {"x86_64": (248, 250), "aarch64": (217, 219)}.get(os.uname().machine)
    if number is None or libc.syscall(number[0], b"user", b"orchestra-test", b"secret", 6, -3) < 0:
        pytest.skip("this kernel or container has no keyrings")
    code = f"import ctypes; print(ctypes.CDLL(None).syscall({number[1]}, 10, -3, b'user', b'orchestra-test', 0))"
    bench = make(sandbox)
    bench.run(pod(code=code))
    assert bench.log() == "-1\n"


DEEP = "import os\nfor _ in range(1500):\n    os.mkdir('d'); os.chdir('d')\nos.chmod('..', 0)"


def test_folders_nested_deeper_than_a_path_are_removed_with_the_rest(make: Make, sandbox: str) -> None:
    bench = make(sandbox)
    assert bench.run(pod(code=f"import os; os.chdir(os.environ['TMPDIR'])\n{DEEP}")).phase == "Succeeded"
    bench.until(lambda: not any(bench.store.trash.iterdir()))


def test_a_crash_that_leaves_deep_folders_does_not_keep_an_engine_from_starting(make: Make, tmp_path: Path) -> None:
    bench = make("plain")
    bench.store.trash.mkdir()
    subprocess.run([sys.executable, "-c", DEEP], cwd=bench.store.trash, check=True)
    bench.store.empty_trash()
    assert not bench.store.trash.exists()


def test_an_output_nested_too_deeply_is_refused_by_name(make: Make, private: str) -> None:
    artifact = OutputArtifact(name="out", path="/work/out", key="k/out", archive="none")
    code = f"import os; os.makedirs('/work/out', exist_ok=True); os.chdir('/work/out')\n{DEEP}"
    status = make(private).run(pod(code=code, output_artifacts=[artifact]))
    assert status.phase == "Error"
    assert "output artifact out" in status.message
    assert "nested more than 200 folders deep" in status.message


def test_a_name_that_no_zip_can_hold_is_told(make: Make, sandbox: str) -> None:
    artifact = OutputArtifact(name="out", path="/tmp/out", key="k/out", archive="zip")
    command = "mkdir {out}; touch {out}/$(printf '\\377')".format(out=PATH_MARK % "/tmp/out")
    status = make(sandbox).run(pod(args=[command], output_artifacts=[artifact]))
    assert status.phase == "Error"
    assert "is not UTF-8" in status.message


@pytest.mark.parametrize("name, path", [("../../../outside", "/v"), ("/outside", "/v"), ("v", "/../../../outside")])
def test_a_volume_never_lies_outside_the_nodes_scratch_folder(
    make: Make, private: str, tmp_path: Path, name: str, path: str
) -> None:
    name = str(tmp_path / "outside") if name.startswith("/") else name
    status = make(private).run(pod(args=["true"], empty_dirs=[{"name": name, "mounts": {"main": path}}]))
    assert status.phase == "Error"
    assert "cannot be mounted" in status.message
    assert not list(tmp_path.rglob("outside"))
