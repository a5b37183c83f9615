from django.apps import AppConfig


class ArtifactsConfig(AppConfig):
    name = "app.artifacts"
    label = "artifacts"
