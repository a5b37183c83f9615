from django.apps import AppConfig


class SchemasConfig(AppConfig):
    name = "app.schemas"
    label = "schemas"
