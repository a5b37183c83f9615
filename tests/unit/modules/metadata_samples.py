"""One metadata.json of each dialect, and how tests change and read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.modules import metadata as metadata_json
from app.modules.faults import Faulty
from app.modules.normal_form import Metadata

NEW: dict[str, Any] = {
    "name": "boundary",
    "version": "2.1.0",
    "description": "finds the magnetopause's crossings, l'été aussi",
    "defaults": {"start": "2008-07-03T00:00:00", "stop": "2008-07-05T23:59:00"},
    "output": {"type": "timetable", "filename": "out.txt"},
    "annexes_outputs": [{"type": "IMAGE", "filename": "plot.png"}],
    "install": {
        "model_version": "1.2.0",
        "python_version": "3.11",
        "requirements": "needs.txt",
        "files": ["model.bin"],
        "executable": "run",
        "pre_process": [],
        "post_process": [],
    },
}
OLD: dict[str, Any] = {
    "name": "regions",
    "description": "classes\nof plasma",
    "args": ["start", "stop", "parameter", ["level", "int"]],
    "hyperparameters": [["a", "int"], ["b", "float"], ["c", "str"]],
    "defaults": {"parameter": "imf", "a": "3"},
    "output": {
        "type": "catalog",
        "filename": "regions.cat",
        "classmap": {"SW": 0, "MSH": 1},
        "colormap": {"SW": [241, 196, 15]},
    },
    "install": {
        "requirements": ["numpy>=1.26"],
        "requirements_file": "needs.txt",
        "executable": "run",
        "pre_process": ["python prepare.py --level 'a b'"],
        "post_process": [["python", "after.py"]],
    },
}


def read(folder: Path, data: Any) -> Metadata:
    text = data if isinstance(data, str) else json.dumps(data).replace("Infinity", "1e999")
    (folder / "metadata.json").write_text(text, encoding="utf-8")
    return metadata_json.read(folder)


def changed(base: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A deep copy of `base` with the value at a dotted path set, or removed if it is Ellipsis."""
    data = json.loads(json.dumps(base))
    *parents, last = path.split(".")
    place = data
    for step in parents:
        place = place.setdefault(step, {})
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return data


def faults(folder: Path, data: Any) -> dict[str, str]:
    with pytest.raises(Faulty) as caught:
        read(folder, data)
    found = {fault.path: fault.message for fault in caught.value.faults}
    assert len(found) == len(caught.value.faults), caught.value.faults
    return found
