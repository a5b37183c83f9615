from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from django.core.exceptions import ImproperlyConfigured

from app.environment import Environment


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Environment:
    monkeypatch.setattr(Environment, "ENVIRON", dict(os.environ))
    return Environment()


def test_every_faulty_setting_is_named_with_what_it_should_be(env: Environment) -> None:
    env.ENVIRON |= {"A": "many", "B": "maybe", "C": "-1", "D": "inf", "E": "0", "ORCHESTRA_CANCEL_GRACE": "-1"}
    assert env.int("A", default=4) == 4
    assert env.bool("B", default=True) is True
    assert env.float("C", default=1.0) == 1.0
    assert env.float("D", default=1.0) == 1.0
    assert env.int("E", default=2) == 2
    assert env.float("ORCHESTRA_CANCEL_GRACE", default=10.0) == 10.0
    env.one_of("F", "x", ("a", "b"))
    with pytest.raises(ImproperlyConfigured) as raised:
        env.check()
    assert str(raised.value).splitlines() == [
        "A is 'many'; it has to be a whole number.",
        "B is 'maybe'; it has to be true or false.",
        "C is '-1'; it has to be a number, more than 0.",
        "D is 'inf'; it has to be a number.",
        "E is '0'; it has to be a whole number, more than 0.",
        "ORCHESTRA_CANCEL_GRACE is '-1'; it has to be a number, not less than 0.",
        "F is 'x'; it has to be one of a, b.",
    ]


def test_settings_that_are_sound_are_read(env: Environment) -> None:
    env.ENVIRON |= {"A": "3", "B": "no", "C": "", "ORCHESTRA_CANCEL_GRACE": "0"}
    assert env.int("A", default=4) == 3
    assert env.bool("B", default=True) is False
    assert env.int("C", default=5) == 5
    assert env.float("ORCHESTRA_CANCEL_GRACE", default=10.0) == 0
    assert env.int("NOT_THERE", default=7) == 7
    env.check()


@pytest.mark.parametrize("url", ["nonsense", "mysql://user:secret@host/name", "user:secret@host"])
def test_a_database_that_cannot_be_is_refused_without_its_password(env: Environment, url: str) -> None:
    env.ENVIRON["DATABASE_URL"] = url
    env.database("DATABASE_URL", default="sqlite:////tmp/x")
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as raised:
        env.check()
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("make", [lambda tmp: tmp / "none", lambda tmp: tmp])
def test_a_file_of_settings_that_cannot_be_read_is_a_fault(
    env: Environment, tmp_path: object, make: Callable[[object], object]
) -> None:
    env.read_file(str(make(tmp_path)))
    with pytest.raises(ImproperlyConfigured, match="ORCHESTRA_ENV_FILE"):
        env.check()
