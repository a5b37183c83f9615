"""A real one-node Kubernetes on this machine: its places, its addresses, and how its programs are called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HOME = Path(os.environ.get("TESTBED", Path.home() / ".cache/orchestra-testbed"))
BIN, RUN, IMAGES, ROOTS = HOME / "bin", HOME / "run", HOME / "images", HOME / "roots"
PKI, KUBECONFIG = RUN / "pki", RUN / "admin.kubeconfig"
CONTAINERD = Path("/run/orchestra-testbed-containerd")
NODE_IP, API_IP, DNS_IP = "10.99.0.1", "10.96.0.1", "10.96.0.10"
PODS, SERVICES = "10.88.0.0/16", "10.96.0.0/16"
REGISTRY, S3, BUILDKIT = f"{NODE_IP}:5000", f"http://{NODE_IP}:8333", f"tcp://{NODE_IP}:1234"
S3_ACCESS_KEY, S3_SECRET_KEY = "testbed", "testbed-secret"
KUBECTL = (BIN / "kubectl", f"--kubeconfig={KUBECONFIG}")  # as the cluster's administrator
CTR = ("ctr", "-a", CONTAINERD / "containerd.sock", "-n", "k8s.io")  # containerd's client, in Kubernetes' namespace


def run(*argv: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a program. Raises CalledProcessError if it fails."""
    return subprocess.run([str(word) for word in argv], check=True, **options)


def works(*argv: object) -> bool:
    """Whether a program runs without a fault."""
    return subprocess.run([str(word) for word in argv], check=False, capture_output=True).returncode == 0


def output(*argv: object) -> str:
    """What a program prints; empty if it prints nothing or fails before."""
    done = subprocess.run([str(word) for word in argv], check=False, capture_output=True, text=True)
    return done.stdout


def say(*words: object) -> None:
    """Tell how far things are."""
    print("testbed:", *words, file=sys.stderr, flush=True)


def kubectl(*argv: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """kubectl as the cluster's administrator."""
    return run(*KUBECTL, *argv, **options)


def apply(*objects: dict[str, Any]) -> None:
    """Make objects in the cluster, or change them into these."""
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
    kubectl(
        *("apply", "--server-side", "--force-conflicts", "-f", "-"), input=listed.encode(), stdout=subprocess.DEVNULL
    )


def ctr(*argv: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """containerd's own client, in Kubernetes' namespace."""
    return run(*CTR, *argv, **options)
