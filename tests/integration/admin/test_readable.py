"""What is stored as JSON is read by people in the admin: names with values, tables, indented text; never as markup."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import conditional_escape

from app.accounts.readable import readable
from app.catalogs.models import Catalog
from tests import factories

pytestmark = pytest.mark.django_db


def page(client: Client, row: Any) -> str:
    return client.get(reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])).text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        ({}, "-"),
        ([], "-"),
        (0, "0"),
        (False, "false"),
        (["numpy", 3, None], "numpy, 3, null"),
        ({"threshold": 0.2, "on": True, "kinds": ["a", "b"]},
         "<table><tr><th>threshold</th><td>0.2</td></tr><tr><th>on</th><td>true</td></tr>"
         "<tr><th>kinds</th><td>a, b</td></tr></table>"),
        ([{"name": "dst", "unit": "nT"}, {"name": "p"}],
         "<table><tr><th>name</th><th>unit</th></tr><tr><td>dst</td><td>nT</td></tr>"
         "<tr><td>p</td><td></td></tr></table>"),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_people_read_it(value: Any, shown: str) -> None:
    assert readable(value) == shown


def test_what_is_nested_is_indented() -> None:
    assert (
        readable({"install": {"files": []}}).replace("&quot;", '"')
        == '<pre>{\n  "install": {\n    "files": []\n  }\n}</pre>'
    )


@pytest.mark.parametrize("value", ["<b>", ["<b>"], {"<b>": "<b>"}, [{"<b>": "<b>"}], {"a": {"<b>": [{"<b>": 1}]}}])
def test_nothing_stored_is_markup(value: Any) -> None:
    assert "<b>" not in conditional_escape(readable(value))


def test_arguments_and_metadata_are_no_raw_json(admin_client: Client) -> None:
    module = factories.module()
    execution = factories.execution(module, arguments={"threshold": 0.25, "note": "l'été <b>"})
    shown = page(admin_client, execution)
    assert "<th>threshold</th><td>0.25</td>" in shown
    assert "<td>l&#x27;été &lt;b&gt;</td>" in shown
    assert '{"threshold"' not in shown
    # which name comes first is the database's
    assert re.search(r"<pre>\{\n  &quot;\w+&quot;: ", page(admin_client, module.default))


def test_events_name_their_values_with_units(admin_client: Client) -> None:
    execution = factories.execution(factories.module(), state="SUCCEEDED")
    columns = [{"name": "dst", "unit": "nT", "type": "float"}, {"name": "class", "type": "str"}]
    catalog = factories.catalog(factories.file(execution, "storms.txt"), [(factories.START, factories.STOP)])
    Catalog.objects.filter(pk=catalog.pk).update(columns=columns)
    catalog.events.update(values=[-120.5, "great"])
    for shown in (
        admin_client.get(reverse("admin:catalogs_event_changelist")).text,
        page(admin_client, catalog),
        page(admin_client, catalog.events.get()),
    ):
        assert "dst = -120.5 nT, class = great" in shown
