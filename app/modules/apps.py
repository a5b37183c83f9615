from django.apps import AppConfig


class ModulesConfig(AppConfig):
    name = "app.modules"
    label = "modules"
