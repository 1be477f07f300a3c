"""The Celery application: workers and beat are started with `-A config`."""

import os

from celery import Celery

from config.settings import chosen

os.environ.setdefault("DJANGO_SETTINGS_MODULE", chosen())

app = Celery("switchboard")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
