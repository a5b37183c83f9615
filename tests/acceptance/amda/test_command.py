"""The sample AMDA as a process of its own, with Orchestra's command and without."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "command", [["-m", "app.amda.sample"], ["manage.py", "sample_amda"]], ids=["alone", "manage.py"]
)
def test_the_ready_file_has_the_address_while_requests_are_served(command: list[str], tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    with subprocess.Popen(
        [sys.executable, *command, "--ready-file", str(ready), "--fault", "fail=1"], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline().decode()
            assert "omni-hour-all" in first
            # The line comes before the file, and requests are answered once the file is there.
            while not ready.exists():
                assert process.poll() is None
            url = ready.read_text().strip()
            assert url in first
            with urllib.request.urlopen(f"{url}/php/rest/isAlive.php", timeout=20) as answer:
                assert answer.read() == b'{"alive": true}'
        finally:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert not ready.exists()


def test_the_sample_needs_neither_django_nor_numpy_to_start() -> None:
    code = "import sys, app.amda.sample.cli; print(sorted({'django', 'numpy', 'pycdfpp'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "[]"
