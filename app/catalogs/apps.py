from django.apps import AppConfig


class CatalogsConfig(AppConfig):
    name = "app.catalogs"
    label = "catalogs"
