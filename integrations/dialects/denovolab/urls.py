"""Denovolab's addresses."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from integrations import edge
from integrations.dialects.denovolab import errors
from integrations.dialects.denovolab.views import Auth, Reset, User

urlpatterns: list[URLPattern] = [
    path("v1/auth", Auth.as_view({"post": "sign_in"})),
    path("v1/auth/as_agent", Auth.as_view({"post": "as_agent"})),
    path("v1/auth/as_client", Auth.as_view({"post": "as_client"})),
    path("v1/auth/check-token", Auth.as_view({"post": "check_token"})),
    path("v1/auth/check-password", Auth.as_view({"post": "check_password"})),
    path("v1/auth/reset_email", Reset.as_view({"post": "request_link"})),
    path("v1/auth/reset/<str:token>", Reset.as_view({"get": "look", "post": "confirm"})),
    path("v1/user", User.as_view({"get": "me"})),
]
# Whatever else begins with /v1 is ours to refuse; tried after the addresses of all dialects.
rest = [re_path(r"^v1", edge.nowhere(errors))]
