"""The WSGI entry that gunicorn loads."""

import os

from django.core.wsgi import get_wsgi_application

from config.settings import chosen

os.environ.setdefault("DJANGO_SETTINGS_MODULE", chosen())
application = get_wsgi_application()
