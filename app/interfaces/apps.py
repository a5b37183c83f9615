from django.apps import AppConfig


class InterfacesConfig(AppConfig):
    name = "app.interfaces"
    label = "interfaces"
