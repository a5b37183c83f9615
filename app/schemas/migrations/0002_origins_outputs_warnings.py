from __future__ import annotations

from typing import Any

from django.db import migrations, models


def _name_origins(apps: Any, editor: Any) -> None:
    apps.get_model("schemas", "Schema").objects.filter(shipped=True).update(origin="shipped")


class Migration(migrations.Migration):
    dependencies = [
        ("schemas", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="schema",
            name="origin",
            field=models.CharField(
                choices=[("shipped", "Shipped"), ("added", "Added"), ("sent", "Sent")], default="added", max_length=7
            ),
        ),
        migrations.RunPython(_name_origins, migrations.RunPython.noop, elidable=True),
        migrations.RemoveField(model_name="schema", name="shipped"),
        migrations.AddField(
            model_name="schema",
            name="removed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="schemaversion",
            name="outputs",
            field=models.JSONField(default=dict, help_text="parameters and artifacts by name"),
        ),
        migrations.AddField(
            model_name="schemaversion",
            name="warnings",
            field=models.JSONField(default=list, help_text="what runs on one engine only"),
        ),
        migrations.AlterField(
            model_name="schema",
            name="name",
            field=models.CharField(max_length=63),
        ),
        migrations.AlterField(
            model_name="schemaversion",
            name="digest",
            field=models.CharField(help_text="SHA-256 of the text, and of the inputs of a side file", max_length=64),
        ),
        migrations.AddConstraint(
            model_name="schema",
            constraint=models.UniqueConstraint(
                condition=models.Q(("removed_at", None)), fields=("name",), name="schema_name"
            ),
        ),
    ]
