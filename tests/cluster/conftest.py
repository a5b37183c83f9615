"""Tests against a real Kubernetes with Argo's resource definitions, such as `script/testbed up --argo DIR` makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if "tests/cluster" in item.path.as_posix():
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def kubectl() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Calls kubectl; the tests are skipped where there is no cluster."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip('KUBECONFIG is not set: script/testbed up --argo DIR, then eval "$(script/testbed env)"')
    if shutil.which("kubectl") is None:
        pytest.skip('kubectl is not on PATH: eval "$(script/testbed env)"')

    def call(*argv: str, given: dict[str, Any] | str = "") -> subprocess.CompletedProcess[str]:
        text = given if isinstance(given, str) else yaml.safe_dump(given)
        return subprocess.run(["kubectl", *argv], check=False, input=text, capture_output=True, text=True)

    found = call("get", "crd", "workflows.argoproj.io")
    if found.returncode:
        pytest.skip(f"the cluster knows no Argo Workflows: {found.stderr.strip()}")
    return call
