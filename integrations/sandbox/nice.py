"""NICE CXone's stand-in: an OpenID provider whose token endpoint is found by discovery."""

from __future__ import annotations

from integrations.sandbox.openid import OpenIdStandIn


class NiceStandIn(OpenIdStandIn):
    name = "NICE CXone"
    token_path = "/auth/token"  # noqa: S105  # an address
    authorize_path = "/auth/authorize"
