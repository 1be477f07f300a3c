"""The grants of the token endpoint: each reads its own parameters, makes one call into the house, and renders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from identity import authorization_codes, clients, refresh
from identity.errors import CredentialInvalid, Invalid, NotAllowed
from integrations.dialects.oauth import shapes
from integrations.dialects.oauth.credentials import Caller

Form = Mapping[str, str]

# RFC 7636, 4.1.
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


def client_credentials(caller: Caller, form: Form) -> dict[str, Any]:
    """RFC 6749, 4.4: a token for the client itself, without a refresh token."""
    opened = clients.open_session(client=caller.confidential(), via=caller.via)
    return shapes.answer(shapes.access_token(opened.session, caller=caller), session=opened.session)


def password(caller: Caller, form: Form) -> dict[str, Any]:
    """A ticket from the public client, or a person's single-use code from a sign-in client (dialects.md 3.0)."""
    if caller.client is None:
        return ticket(caller, form)
    if not caller.client.serves_sign_in:
        raise NotAllowed("not a sign-in client")
    require(form, "username", "password")
    return _trade(caller, code=form["password"], username=form["username"])


def ticket(caller: Caller, form: Form) -> dict[str, Any]:
    """Redeem a ticket, named by `username` or by `ticket`."""
    require(form, "ticket" if "ticket" in form else "username")
    raise CredentialInvalid("no such ticket")


def authorization_code(caller: Caller, form: Form) -> dict[str, Any]:
    """RFC 6749, 4.1.3 with RFC 7636: what `/oauth/authorize` handed to a browser."""
    caller.confidential()
    require(form, "code", "redirect_uri", "code_verifier")
    if not VERIFIER.match(form["code_verifier"]):
        raise Invalid("code_verifier", fields={"code_verifier": ["malformed"]})
    return _trade(
        caller, code=form["code"], redirect_uri=form["redirect_uri"], code_verifier=form["code_verifier"]
    )  # fmt: skip


def refresh_token(caller: Caller, form: Form) -> dict[str, Any]:
    """RFC 6749, 6: a new pair; the old refresh token is spent."""
    require(form, "refresh_token")
    rotated = refresh.rotate(secret=form["refresh_token"], client_id=caller.client_id, via=caller.via)
    issued = shapes.access_token(rotated.session, caller=caller)
    return shapes.answer(issued, session=rotated.session, refresh_token=rotated.secret)


def require(form: Form, *names: str) -> None:
    """Go on only if every parameter is there and not empty (RFC 6749, 3.2). Raises Invalid naming those that are not."""
    missing = {name: ["missing"] for name in names if not form.get(name)}
    if missing:
        raise Invalid("missing", fields=missing)


def _trade(caller: Caller, **shown: str) -> dict[str, Any]:
    traded = authorization_codes.trade(client=caller.client, via=caller.via, **shown)
    issued = shapes.access_token(traded.session, caller=caller)
    return shapes.answer(issued, session=traded.session, refresh_token=traded.refresh_token)


GRANTS: dict[str, Callable[[Caller, Form], dict[str, Any]]] = {
    "client_credentials": client_credentials,
    "password": password,
    "refresh_token": refresh_token,
    "authorization_code": authorization_code,
}
