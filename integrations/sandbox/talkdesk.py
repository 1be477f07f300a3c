"""Talkdesk's stand-in: an OpenID provider whose refresh tokens turn over at `/oauth/token`."""

from __future__ import annotations

from integrations.sandbox.openid import OpenIdStandIn


class TalkdeskStandIn(OpenIdStandIn):
    name = "Talkdesk"
    token_path = "/oauth/token"  # noqa: S105  # an address
    authorize_path = "/oauth/authorize"
