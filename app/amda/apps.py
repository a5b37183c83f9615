from django.apps import AppConfig


class AmdaConfig(AppConfig):
    name = "app.amda"
    label = "amda"
