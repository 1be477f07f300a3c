"""The embedded message broker: a Celery transport over one table of the portal's own database."""
