from __future__ import annotations

import pytest

from app.modules.sources.git import _last_words


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"ssh: connect to host h port 22: Connection refused\nfatal: Could not read from remote repository.\n\nPlease",
         "ssh: connect to host h port 22: Connection refused"),
        (b"fatal: Could not read from remote repository.\n", "Could not read from remote repository."),
        (b"Cloning\nfatal: unable to access 'u': Could not resolve host\n",
         "unable to access 'u': Could not resolve host"),
        (b"something\n", "something"),
        (b"", "no reason given"),
    ],
)  # fmt: skip
def test_a_failure_of_git_is_told_by_whoever_knows_why(said: bytes, told: str) -> None:
    assert _last_words(said) == told
