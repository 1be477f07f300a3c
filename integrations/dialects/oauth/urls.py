"""OAuth's addresses: the token endpoint where Auvious' programs look for it, the rest where the RFCs put it."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from integrations import edge
from integrations.dialects.oauth import errors
from integrations.dialects.oauth.authorize import authorize
from integrations.dialects.oauth.views import Metadata, Token, UserInfo

urlpatterns: list[URLPattern] = [
    path("security/oauth/token", Token.as_view({"post": "issue"})),
    path("oauth/authorize", authorize),
    path("oauth/introspect", Token.as_view({"post": "introspect"})),
    path("oauth/revoke", Token.as_view({"post": "revoke"})),
    path("oauth/userinfo", UserInfo.as_view({"get": "me", "post": "me"})),
    path(".well-known/oauth-authorization-server", Metadata.as_view({"get": "server"})),
    path(".well-known/openid-configuration", Metadata.as_view({"get": "openid"})),
    path(".well-known/jwks.json", Metadata.as_view({"get": "keys"})),
]
# Whatever else begins with /oauth is ours to refuse; tried after the addresses of all dialects.
rest = [re_path(r"^oauth(/|$)", edge.nowhere(errors))]
