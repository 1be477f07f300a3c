"""Where the desk and the wall are (operating.md 5)."""

from __future__ import annotations

from django.urls import path

from agents.desk import views, wall

urlpatterns = [
    path("desk/", views.desk),
    path("desk/presence/", views.presence),
    path("desk/place/", views.place),
    path("wall/", wall.page),
    path("wall/now/", wall.now),
]
