"""Bad manifests through every door of a server: each is refused in words, at once, and nothing is stored or left."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from app.executions.models import Execution
from app.schemas import services
from app.schemas.models import Schema, SchemaVersion
from app.schemas.services import BadFile
from tests.bad_manifests import BAD
from tests.integration.schemas.conftest import SERVER, Command

pytestmark = pytest.mark.django_db

LONGEST = 4000  # characters of all that is said of a manifest
Door = Callable[[str], str]  # from a text to what is said of it


@pytest.fixture
def run(orchestra: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What the command says on stderr of a file that it cannot use."""
    monkeypatch.chdir(tmp_path)

    def call(text: str, words: Sequence[str]) -> str:
        Path("w.yaml").write_text(text, encoding="utf-8")
        code, out, err = orchestra(*words)
        assert (code, out) == (2, "")
        assert sorted(path.name for path in Path().iterdir() if path.is_file()) == ["w.yaml"]
        assert not Path(".orchestra").exists()
        return err

    return call


def posted(text: str, *, path: str) -> str:
    answer = Client().post(path, json.dumps({"manifest": text}), "application/json")
    assert 400 <= answer.status_code < 500
    assert set(answer.json()) <= {"error", "faults"}
    return str(answer.json()["error"])


def in_the_form(text: str, *, client: Client) -> str:
    values = {"schema_name": "", "manifest": text, "inputs": ""}
    answer = client.post(reverse("admin:schemas_schema_add"), values)
    if answer.status_code != 200:
        assert answer.status_code == 413
        return "larger than this server takes"
    lists = re.findall(r'<ul class="errorlist.*?</ul>', answer.text, re.DOTALL)
    return html.unescape(" ".join(lists))


def loaded(text: str, *, folder: Path) -> str:
    (folder / "good.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(BadFile) as raised:
        services.load_shipped()
    return str(raised.value)


@pytest.fixture(params=["POST schemas", "POST executions", "admin", "schema add", "workflow run", "schemas/"])
def door(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    """Each way in which a manifest gets into a server."""
    match request.param:
        case "admin":
            return partial(in_the_form, client=request.getfixturevalue("admin_client"))
        case "schema add":
            return partial(request.getfixturevalue("run"), words=("schema", "add", "w.yaml"))
        case "workflow run":
            return partial(request.getfixturevalue("run"), words=("workflow", "run", "w.yaml", "--server", SERVER))
        case "schemas/":
            folder = tmp_path / "schemas"
            folder.mkdir()
            monkeypatch.setattr(services, "FOLDER", folder)
            return partial(loaded, folder=folder)
    return partial(posted, path=f"/api/v1/{request.param.removeprefix('POST ')}")


@pytest.mark.parametrize("name", BAD)
def test_a_bad_manifest_is_refused_in_words_and_leaves_nothing(door: Door, name: str) -> None:
    make, words = BAD[name]
    before = SchemaVersion.objects.count()
    said = door(make())
    assert re.search(words, said), said
    assert len(said) < LONGEST
    assert "Traceback" not in said
    assert (SchemaVersion.objects.count(), Schema.objects.filter(latest=None).count()) == (before, 0)
    assert not Execution.objects.exists()
