"""Python packages for tests, made of texts, and a package index on this machine that serves them."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
# A build backend that needs no other package: it makes a wheel of the folder `content`.
BACKEND = """
import os, zipfile
{at_start}

def prepare_metadata_for_build_wheel(folder, config_settings=None):
{at_metadata}
    os.mkdir(os.path.join(folder, "{stem}.dist-info"))
    for name, text in FILES.items():
        with open(os.path.join(folder, "{stem}.dist-info", name), "w") as file:
            file.write(text)
    return "{stem}.dist-info"

def build_wheel(folder, config_settings=None, metadata_directory=None):
{at_wheel}
    name = "{stem}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("{module}.py", "VERSION = 1\\n")
        for file, text in FILES.items():
            wheel.writestr("{stem}.dist-info/" + file, text)
        wheel.writestr("{stem}.dist-info/RECORD", "{module}.py,,\\n")
    return name

FILES = {{
    "METADATA": "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n",
    "WHEEL": "Wheel-Version: 1.0\\nGenerator: tests\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}}
"""


def wheel(folder: Path, name: str, version: str, files: Mapping[str, str | bytes]) -> Path:
    """A wheel with these files."""
    stem = f"{name.replace('-', '_')}-{version}"
    about = f"{stem}.dist-info"
    whole: dict[str, str | bytes] = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    whole[f"{about}/RECORD"] = "".join(f"{file},,\n" for file in whole) + f"{about}/RECORD,,\n"
    made = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for file, content in whole.items():
            archive.writestr(file, content)
    return made


def sdist(
    folder: Path, name: str, version: str, *, at_start: str = "", at_metadata: str = "", at_wheel: str = ""
) -> Path:
    """A source distribution whose own backend runs the given lines: when it is read, for metadata, for the wheel."""
    module = name.replace("-", "_")
    stem = f"{module}-{version}"

    def indented(text: str) -> str:
        return "".join(f"    {line}\n" for line in (text or "pass").splitlines())

    texts = {
        "pyproject.toml": PYPROJECT,
        "backend.py": BACKEND.format(
            at_start=at_start, at_metadata=indented(at_metadata), at_wheel=indented(at_wheel),
            stem=stem, module=module, name=name, version=version,
        ),
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
    }  # fmt: skip
    made = folder / f"{stem}.tar.gz"
    with tarfile.open(made, "w:gz") as archive:
        for file, text in texts.items():
            member = tarfile.TarInfo(f"{stem}/{file}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return made


class _Index(SimpleHTTPRequestHandler):
    """`/simple/NAME/` with links to the folder's files of that name."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if not (match := re.fullmatch(r"/simple/([\w.-]+)/", self.path)):
            super().do_GET()
            return
        stem = match[1].replace("-", "_")
        names = sorted(file.name for file in Path(self.directory).iterdir() if file.name.startswith(f"{stem}-"))
        links = "".join(f'<a href="/{name}#sha256={self._digest(name)}">{name}</a>\n' for name in names)
        body = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        self.send_response(200 if names else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _digest(self, name: str) -> str:
        return hashlib.sha256(Path(self.directory, name).read_bytes()).hexdigest()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@dataclass(frozen=True)
class Index:
    """A package index: the address of its server, and all paths that it was asked for."""

    address: str
    asked: list[str]

    @property
    def url(self) -> str:
        """What uv is told."""
        return f"http://{self.address}/simple"


@contextmanager
def index(folder: Path) -> Iterator[Index]:
    """Serve the packages of a folder."""
    asked: list[str] = []
    handler = type("Handler", (_Index,), {"asked": asked})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Index(f"127.0.0.1:{server.server_port}", asked)
        finally:
            server.shutdown()
            thread.join()
