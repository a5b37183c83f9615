"""Images made from folders, without a builder: docker-archives of one layer."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from script.lib.testbed import BIN, IMAGES, REGISTRY, ROOTS, ctr, output, run

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Names under which the two base images are known to the node; manifests that name them need no registry.
BUSYBOX_NAMES = ("busybox:latest", "busybox:1.36", "alpine:latest", "alpine:3.20")
PYTHON_NAMES = ("python:3.11", "python:3.11-slim", "python:latest", "python:alpine")
PAUSE, BUILDCTL = "testbed/pause:1", "testbed/buildctl:1"
_PAUSE_SOURCE = b"""#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int s){exit(0);}
static void reap(int s){while(waitpid(-1,0,WNOHANG)>0);}
int main(){signal(SIGINT,end);signal(SIGTERM,end);signal(SIGCHLD,reap);for(;;)pause();}
"""


def file_of(name: str) -> Path:
    """Where the archive of an image is kept."""
    return IMAGES / (name.replace("/", "_").replace(":", "_") + ".tar")


def archive(
    names: Sequence[str],
    root: Path,
    *,
    command: Sequence[str] = (),
    variables: Sequence[str] = (),
    entrypoint: Sequence[str] = (),
) -> Path:
    """A docker-archive of the folder `root`, tagged with every one of `names`; its path."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    made = file_of(names[0])
    layer = made.with_suffix(".layer")
    with tarfile.open(layer, "w") as tar:
        tar.add(root, arcname=".")
    with layer.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    how = {"Entrypoint": list(entrypoint) or None, "Cmd": list(command) or None, "Env": [PATH, *variables]}
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "config": how,
            "history": [{"created_by": "testbed"}],
        }
    ).encode()
    config_name = hashlib.sha256(config).hexdigest() + ".json"
    manifest = [{"Config": config_name, "RepoTags": list(names), "Layers": [f"{digest}/layer.tar"]}]
    with tarfile.open(made, "w") as tar:
        _add(tar, config_name, config)
        tar.add(layer, arcname=f"{digest}/layer.tar")
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    layer.unlink()
    return made


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def load(tar: Path) -> None:
    """Import a docker-archive into the node."""
    ctr("images", "import", tar, stdout=subprocess.DEVNULL)


def push(name: str) -> None:
    """Push an image of the node to the registry, under the same name."""
    known = name if "/" in name else f"docker.io/library/{name}"
    ctr("images", "tag", "--force", known, f"{REGISTRY}/{name}")
    ctr("images", "push", "--plain-http", f"{REGISTRY}/{name}")


def load_base() -> None:
    """Import the base images that the node does not have yet."""
    have = ctr("images", "ls", "-q", stdout=subprocess.PIPE).stdout.decode()
    for name in (PAUSE, BUILDCTL, BUSYBOX_NAMES[0], PYTHON_NAMES[0]):
        if name not in have:
            load(file_of(name))


def make_base() -> None:
    """Make the base images that are not there yet."""
    if not file_of(BUILDCTL).exists():
        root = ROOTS / "buildctl"
        shutil.copytree(busybox(), root, symlinks=True, dirs_exist_ok=True)
        shutil.copy2(BIN / "buildctl", root / "bin/buildctl")
        archive([BUILDCTL], root, command=["sh"])
    if not file_of(PAUSE).exists():
        root = ROOTS / "pause"
        root.mkdir(parents=True, exist_ok=True)
        run("gcc", "-static", "-O2", "-x", "c", "-", "-o", root / "pause", input=_PAUSE_SOURCE)
        archive([PAUSE], root, command=["/pause"])
    if not file_of(BUSYBOX_NAMES[0]).exists():
        archive(BUSYBOX_NAMES, busybox(), command=["sh"])
    if not file_of(PYTHON_NAMES[0]).exists():
        _python()


def busybox() -> Path:
    """The root of the busybox image."""
    root = ROOTS / "busybox"
    if root.exists():
        return root
    for folder in ("bin", "etc", "tmp"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy2("/bin/busybox", root / "bin/busybox")
    for applet in output(root / "bin/busybox", "--list").split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
    (root / "etc/passwd").write_text(users)
    shutil.copytree("/etc/ssl/certs", root / "etc/ssl/certs", symlinks=False, ignore_dangling_symlinks=True)
    return root


def _python() -> None:
    root = ROOTS / "python"
    shutil.rmtree(root, ignore_errors=True)
    packages = "python3,python3-venv,python3-pip,ca-certificates,git"
    run(
        "debootstrap",
        "--variant=minbase",
        f"--include={packages}",
        "bookworm",
        root,
        _mirror(),
        stdout=subprocess.DEVNULL,
    )
    for leftover in (root / "var/cache/apt/archives").glob("*.deb"):
        leftover.unlink()
    (root / "usr/bin/python").symlink_to("python3")
    # The machine's own trusted certificates, so that pip and uv reach the registries that the machine reaches.
    bundle = "etc/ssl/certs/ca-certificates.crt"
    shutil.copy2(f"/{bundle}", root / bundle)
    variables = [f"{name}=/{bundle}" for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE")]
    archive(PYTHON_NAMES, root, command=["python3"], variables=variables)


def _mirror() -> str:
    for file in Path("/etc/apt").rglob("*.sources"):
        for line in file.read_text().splitlines():
            if line.startswith("URIs:"):
                return line.split()[1]
    raise SystemExit("testbed: no Debian mirror is named in /etc/apt/*.sources")
