"""Where the desk is (operating.md 5)."""

from __future__ import annotations

from django.urls import path

from agents.desk import views

urlpatterns = [
    path("desk/", views.desk),
    path("desk/presence/", views.presence),
    path("desk/place/", views.place),
]
