"""The admin's form for schemas: what it says at first, what it saves, what it refuses and where."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from app.schemas import services
from app.schemas.models import Origin, Schema, SchemaVersion
from tests import factories

pytestmark = pytest.mark.django_db

TEXT = factories.MANIFEST.replace("NAME", "greeting")
ADD = "admin:schemas_schema_add"


def form(**values: str) -> dict[str, str]:
    return {"schema_name": "", "manifest": TEXT, "inputs": ""} | values


def told(answer: Any) -> list[str]:
    """What a form that was refused says."""
    assert answer.status_code == 200
    return [html.unescape(one) for one in re.findall(r"<li>(.*?)</li>", "".join(
        re.findall(r'<ul class="errorlist.*?</ul>', answer.text, re.DOTALL)), re.DOTALL)]  # fmt: skip


def test_the_form_is_empty_at_first(admin_client: Client) -> None:
    page = admin_client.get(reverse(ADD)).text
    areas = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)
    assert [area.strip() for area in areas] == ["", ""]


def test_what_is_saved_is_a_version_and_what_came_beside_it_stays(admin_client: Client) -> None:
    side = {"who": {"enum": ["world", "moon"], "unit": "-"}}
    saved = admin_client.post(reverse(ADD), form(inputs=json.dumps(side), manifest=TEXT.replace("\n", "\r\n")))
    assert saved.status_code == 302, told(saved)
    version = services.current("greeting")
    assert (version.number, version.text, version.side) == (1, TEXT, side)
    assert admin_client.post(reverse(ADD), form()).status_code == 302
    assert services.current("greeting") == version
    assert admin_client.post(reverse(ADD), form(manifest=TEXT + "# again\n")).status_code == 302
    assert (services.current("greeting").number, services.current("greeting").side) == (2, side)
    assert admin_client.post(reverse(ADD), form(inputs="{}")).status_code == 302
    assert (services.current("greeting").number, services.current("greeting").side) == (3, None)


def test_what_saving_came_to_is_told(admin_client: Client) -> None:
    def said(**values: str) -> list[str]:
        page = admin_client.post(reverse(ADD), form(**values), follow=True)
        return [str(one) for one in page.context["messages"]]

    assert said() == ["greeting, version 1."]
    assert said() == ["greeting, version 1: it is so already, and nothing has changed."]
    news, warning = said(manifest=TEXT.replace("image: busybox", "image: nowhere.example/x"))
    assert news == "greeting, version 2."
    assert "line 1" in warning
    assert "runs on Argo only" in warning


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"manifest": TEXT.replace("entrypoint", "entrypont")}, "line 7, column 14: "),
        ({"manifest": ""}, "required"),
        ({"manifest": "a\0b"}, "Null characters"),
        ({"schema_name": "Not A Name"}, "small letters"),
        ({"schema_name": "x" * 64}, "at most 63"),
        ({"schema_name": "predict"}, "ships with Orchestra"),
        ({"inputs": "{"}, "not JSON"),
        ({"inputs": "[" * 100_000}, "not JSON"),
        ({"inputs": "9" * 5_000}, "not JSON"),
        ({"inputs": "[1]"}, "is not an object with a JSON Schema for each name"),
        ({"inputs": '{"who": {"minimum": NaN}}'}, "not a finite number"),
        ({"inputs": '{"who": {"default": "\\ud800"}}'}, "cannot be stored"),
        ({"inputs": '{"whom": {}}'}, "no such name"),
        ({"inputs": '{"who": {"pattern": "("}}'}, "RE2"),
    ],
)
def test_what_cannot_be_saved_is_said_in_the_form(admin_client: Client, values: dict[str, str], words: str) -> None:
    services.load_shipped()
    before = SchemaVersion.objects.count()
    said = told(admin_client.post(reverse(ADD), form(**values)))
    assert any(words in one for one in said), said
    assert SchemaVersion.objects.count() == before
    assert not Schema.objects.filter(origin=Origin.ADDED).exists()
