"""Names our AdminSite to Django, so that `admin.register` in any app, however far downhill, reaches it."""

from django.contrib.admin.apps import AdminConfig


class SwitchboardAdminConfig(AdminConfig):
    default_site = "config.admin.SwitchboardAdminSite"
