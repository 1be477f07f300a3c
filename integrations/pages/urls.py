"""Where people sign in with an application (clarifications 63)."""

from __future__ import annotations

from django.urls import path

from integrations.pages import sign_in_with

urlpatterns = [
    path("login/with/left/<uuid:sign_in_id>/", sign_in_with.left),
    path("login/with/<str:application_id>/", sign_in_with.begin),
    path("login/with/<str:application_id>/callback/", sign_in_with.callback),
    path("login/with/<str:application_id>/code/", sign_in_with.code),
]
