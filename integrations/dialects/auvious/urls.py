"""Auvious' addresses below `/security`."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from integrations import edge
from integrations.dialects.auvious import errors
from integrations.dialects.auvious.views.applications import Applications
from integrations.dialects.auvious.views.clients import Clients
from integrations.dialects.auvious.views.codes import Codes
from integrations.dialects.auvious.views.facades import Callbacks, OlderCallbacks, OlderRooms, Rooms
from integrations.dialects.auvious.views.keys import Keys
from integrations.dialects.auvious.views.partners import Partners
from integrations.dialects.auvious.views.tickets import Tickets
from integrations.dialects.auvious.views.users import Users

urlpatterns: list[URLPattern] = [
    path("security/applications", Applications.as_view({"get": "all", "post": "create"})),
    path(
        "security/applications/<str:application_id>",
        Applications.as_view({"get": "one", "put": "change", "delete": "delete"}),
    ),
    path("security/clients", Clients.as_view({"get": "all", "post": "create"})),
    path("security/clients/<str:client_id>", Clients.as_view({"put": "change", "delete": "delete"})),
    path("security/clients/<str:client_id>/rotate", Clients.as_view({"post": "rotate"})),
    path("security/facades/callback", Callbacks.as_view({"post": "create"})),
    path("security/facades/room", Rooms.as_view({"post": "create"})),
    path("security/genesys/callback", OlderCallbacks.as_view({"post": "create"})),
    path("security/genesys/room", OlderRooms.as_view({"post": "create"})),
    path("security/keys", Keys.as_view({"post": "create"})),
    path("security/keys/<str:key_id>", Keys.as_view({"get": "one"})),
    path("security/nice/refresh_token", Partners.as_view({"post": "nice"})),
    path("security/otp", Codes.as_view({"post": "send"})),
    path("security/otp/verify", Codes.as_view({"post": "verify"})),
    path("security/talkdesk/refresh_token", Partners.as_view({"post": "talkdesk"})),
    path("security/ticket", Tickets.as_view({"post": "create"})),
    path("security/ticket/<str:ticket_id>", Tickets.as_view({"get": "one", "put": "change", "delete": "delete"})),
    path("security/ticket/<str:ticket_id>/revoke", Tickets.as_view({"post": "revoke"})),
    path("security/ticket/<str:ticket_id>/disable", Tickets.as_view({"post": "disable"})),
    path("security/ticket/<str:ticket_id>/enable", Tickets.as_view({"post": "enable"})),
    path("security/ticket/<str:ticket_id>/event", Tickets.as_view({"get": "event"})),
    path("security/users/<str:user_id>", Users.as_view({"get": "one"})),
]
# Whatever else begins with /security is ours to refuse; tried after the addresses of all dialects.
rest = [re_path(r"^security", edge.nowhere(errors))]
