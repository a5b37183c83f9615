"""Registering modules over HTTP: from git, a folder, a zip; again; and building them anew."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from app.executions.models import Execution
from app.modules.models import Module
from tests import factories

pytestmark = pytest.mark.django_db

JSON = "application/json"


def described(name: str, **changes: Any) -> str:
    return json.dumps(
        {
            "name": name,
            "description": "it's \u00e9 <b>",
            "output": {"type": "timetable", "filename": "out.txt"},
            "install": {"python_version": ">=3.11", "requirements": [], "executable": "run"},
            **changes,
        }
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "module"
    made.mkdir()
    (made / "metadata.json").write_text(described("waves"))
    (made / "run.py").write_text("print()\n")
    return made


def archive(**modules: str) -> SimpleUploadedFile:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as written:
        for name, metadata in modules.items():
            written.writestr(f"{name}/metadata.json", metadata)
            written.writestr(f"{name}/run.py", "print()\n")
    return SimpleUploadedFile("modules.zip", content.getvalue(), content_type="application/zip")


def test_a_folder_is_registered_and_its_build_is_queued(folder: Path) -> None:
    response = Client().post("/api/v1/modules", {"path": str(folder)}, JSON)
    assert response.status_code == 201
    (told,) = response.json()["items"]
    assert told["created"] is True
    assert told["module"]["name"] == "waves"
    assert told["module"]["status"] == "pending"
    assert told["build"]["state"] == "PENDING"
    assert Execution.objects.get(pk=told["build"]["execution"]).kind == "build"
    assert Client().get(f"/api/v1/builds/{told['build']['id']}").json() == told["build"]


def test_the_same_content_again_makes_nothing_new(folder: Path) -> None:
    first = Client().post("/api/v1/modules", {"path": str(folder)}, JSON).json()["items"][0]
    again = Client().post("/api/v1/modules", {"path": str(folder)}, JSON)
    assert again.status_code == 200
    (told,) = again.json()["items"]
    assert told["created"] is False
    assert told["version"] == first["version"]
    assert Execution.objects.count() == 1


def test_new_content_is_a_new_version_and_the_old_one_stays_in_use(folder: Path) -> None:
    first = Client().post("/api/v1/modules", {"path": str(folder)}, JSON).json()["items"][0]
    module = Module.objects.get()
    module.versions.update(environment=factories.environment())
    module.default = module.versions.get()
    module.save()
    (folder / "run.py").write_text("print(2)\n")
    told = Client().post("/api/v1/modules", {"path": str(folder)}, JSON).json()["items"][0]
    assert told["version"]["number"] == first["version"]["number"] + 1
    assert told["module"]["default"]["number"] == first["version"]["number"]
    assert told["module"]["latest"]["number"] == told["version"]["number"]
    assert told["module"]["status"] == "installed"
    assert Client().get("/api/v1/modules/waves/versions").json()["total"] == 2


def test_a_zip_may_hold_several_modules() -> None:
    response = Client().post("/api/v1/modules", {"file": archive(one=described("one"), two=described("two"))})
    assert response.status_code == 201
    assert {item["module"]["name"] for item in response.json()["items"]} == {"one", "two"}
    assert {module["name"] for module in Client().get("/modules").json()} == {"one", "two"}


def test_one_faulty_module_of_a_zip_keeps_all_out() -> None:
    bad = described("two", annexes_outputs=[{}, {"type": "TS", "filemane": "x"}])
    response = Client().post("/api/v1/modules", {"file": archive(one=described("one"), two=bad)})
    assert response.status_code == 422
    paths = [fault["path"] for fault in response.json()["faults"]]
    assert any("annexes_outputs[0]" in path for path in paths)
    assert any("annexes_outputs[1]" in path for path in paths)
    assert "did you mean filename?" in response.json()["error"]
    assert not Module.objects.exists()
    assert not Execution.objects.exists()


def test_building_anew_queues_another_build(folder: Path) -> None:
    Client().post("/api/v1/modules", {"path": str(folder)}, JSON)
    response = Client().post("/api/v1/modules/waves/builds")
    assert response.status_code == 201
    told = response.json()
    assert told["created"] is False
    assert told["build"]["execution"] is not None
    assert Execution.objects.filter(kind="build").count() == 2


def test_a_source_that_is_gone_loses_nothing(folder: Path) -> None:
    Client().post("/api/v1/modules", {"path": str(folder)}, JSON)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    response = Client().post("/api/v1/modules/waves/builds")
    assert response.status_code == 422
    assert Client().get("/api/v1/modules/waves").status_code == 200
    assert Execution.objects.count() == 1


@pytest.mark.parametrize("path", ["/nowhere", "relative", "", "/etc/passwd", "/tmp/\x00"])
def test_a_folder_that_is_none_is_told(path: str) -> None:
    response = Client().post("/api/v1/modules", {"path": path}, JSON)
    assert response.status_code in {400, 422}
    assert response.json()["error"]


@pytest.mark.parametrize(
    "url",
    ["", "-oProxyCommand=x", "--upload-pack=x", "ext::sh -c id", "http://", "https://[::1", "file:///nowhere", "a\nb"],
)
def test_a_git_address_that_is_none_is_told(url: str) -> None:
    response = Client().post("/api/v1/modules", {"git_url": url}, JSON)
    assert response.status_code == 422
    assert response.json()["error"]
