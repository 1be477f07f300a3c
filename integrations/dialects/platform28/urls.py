"""Platform28's addresses; a literal segment wins over a variable (clarifications 4)."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from integrations import edge
from integrations.dialects.platform28 import errors
from integrations.dialects.platform28.views import Authenticate, Password, Session

urlpatterns: list[URLPattern] = [
    path(
        "authenticate/block/<str:username>",
        Authenticate.as_view({"get": "block_status", "post": "block", "delete": "unblock"}),
    ),
    path("authenticate/<str:username>", Authenticate.as_view({"post": "sign_in"})),
    path("session/user/<str:user_id>", Session.as_view({"delete": "end_of_user"})),
    path("session/<str:session_id>", Session.as_view({"get": "find", "delete": "end"})),
    path("session/<str:session_id>/setEffectiveUser", Session.as_view({"post": "set_effective_user"})),
    path("session/<str:session_id>/assumedIdentity", Session.as_view({"delete": "end_assumed_identity"})),
    path("session/<str:session_id>/setEffectiveOrg", Session.as_view({"post": "set_effective_org"})),
    path("session/<str:session_id>/clone", Session.as_view({"post": "clone"})),
    path("password/reset", Password.as_view({"post": "request_reset"})),
    path("password/reset/<str:user_id>", Password.as_view({"post": "request_reset"})),
    path("password/resetWithToken", Password.as_view({"post": "reset_with_token"})),
    path("password/<str:user_id>", Password.as_view({"put": "change_password"})),
]
# Whatever else begins with one of the three words is ours to refuse, also behind doubled slashes; tried after the addresses of
# all dialects.
rest = [re_path(r"^/*(?:authenticate|session|password)", edge.nowhere(errors))]
