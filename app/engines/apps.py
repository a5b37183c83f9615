from django.apps import AppConfig


class EnginesConfig(AppConfig):
    name = "app.engines"
    label = "engines"
