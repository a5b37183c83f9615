from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "usage_scripts"
WITHOUT_ARGUMENTS = {"list_executions.sh", "list_modules.sh", "list_schemas.sh", "ready.sh"}


@pytest.mark.parametrize("script", sorted(path for path in SCRIPTS.glob("*.sh") if path.name not in WITHOUT_ARGUMENTS))
def test_a_script_without_its_arguments_says_its_usage(script: Path) -> None:
    result = subprocess.run([script], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert f"usage_scripts/{script.name} " in result.stderr
    assert "unbound" not in result.stderr
