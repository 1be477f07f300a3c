"""Where the customer's page is (operating.md 5)."""

from __future__ import annotations

from django.urls import path

from tickets import pages

urlpatterns = [
    path("t/<str:ticket_id>", pages.ticket),
    path("t/<str:ticket_id>/event.ics", pages.event),
]
