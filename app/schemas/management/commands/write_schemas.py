from __future__ import annotations

import pkgutil
from argparse import ArgumentParser
from importlib import import_module
from typing import Any, ClassVar

import yaml
from django.core.management.base import BaseCommand, CommandError

from app.schemas import definitions
from app.schemas.services import FOLDER


class Command(BaseCommand):
    """Writes the manifests that ship with Orchestra from their definitions."""

    help = "Write schemas/*.yaml from app/schemas/definitions/*.py."
    requires_system_checks: ClassVar[list[str]] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="write nothing; fail if a file is not what it should be"
        )

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        wanted = {f"{name}.yaml": text for name, text in manifests().items()}
        there = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")}
        differing = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
        if check:
            if differing:
                raise CommandError(f"schemas/ is not up to date: {', '.join(differing)}; run manage.py write_schemas")
            return
        FOLDER.mkdir(exist_ok=True)
        for name in differing:
            if name in wanted:
                (FOLDER / name).write_text(wanted[name], encoding="utf-8")
            else:
                (FOLDER / name).unlink()
            self.stdout.write(f"schemas/{name}")


def manifests() -> dict[str, str]:
    """The text of each manifest, by the name of its definition."""
    texts = {}
    for module in pkgutil.iter_modules(definitions.__path__):
        definition = import_module(f"{definitions.__name__}.{module.name}").definition()
        body = yaml.safe_dump(definition.to_dict(), sort_keys=False, allow_unicode=True, width=120)
        texts[module.name] = (
            f"# Written by manage.py write_schemas from app/schemas/definitions/{module.name}.py.\n{body}"
        )
    return texts
