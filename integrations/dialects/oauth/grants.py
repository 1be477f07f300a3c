"""The grants of the token endpoint: each reads its own parameters, makes one call into the house, and renders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from identity import authorization_codes, clients, login_as, refresh, sessions
from identity.errors import CredentialInvalid, Invalid, LoginAsActorRefused, NotAllowed, NotFound, Unauthenticated
from identity.policy import Rule
from identity.principal import Principal
from integrations.dialects.oauth import shapes
from integrations.dialects.oauth.credentials import AUDIENCE, Caller
from integrations.dialects.oauth.errors import TargetUnknown
from tickets import redemptions

Form = Mapping[str, str]

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105  # a name, no secret
USER_ID_TYPE = "urn:portal:token-type:user_id"
# The door that audit rows of the exchange name (clarifications 23).
EXCHANGE_DOOR = "token_exchange"

INACTIVE = {"active": False}

DIGITS = re.compile(r"[0-9]+\Z")
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
    spelling = "ticket" if "ticket" in form else "username"
    require(form, spelling)
    redeemed = redemptions.redeem(ticket_id=form[spelling], via=caller.via)
    issued = shapes.access_token(redeemed.session, caller=caller)
    return shapes.answer(issued, session=redeemed.session, refresh_token=redeemed.refresh_token)


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


def token_exchange(caller: Caller, form: Form) -> dict[str, Any]:
    """RFC 8693: a person's own token for one that works as somebody else; one more door of login-as (clarifications 22)."""
    client = caller.confidential()
    _check_exchange(form)
    actor = _actor(caller, form["actor_token"])
    via = replace(caller.via, door=EXCHANGE_DOOR)
    try:
        row = login_as.start(by=actor, subject_id=form["subject_token"], via=via, reason=form.get("reason", ""))
    except NotFound as e:
        raise TargetUnknown("no such person") from e
    opened = login_as.open_session(by=actor, login_as=row, via=via, client=client)
    issued = shapes.access_token(opened.session, caller=caller)
    return shapes.answer(issued, session=opened.session, issued_token_type=ACCESS_TOKEN_TYPE)


def introspect(caller: Caller, token: str) -> dict[str, Any]:
    """RFC 7662: tell about a live token of the client's own organisation, anybody's to an internal service."""
    try:
        try:
            principal, claims = sessions.by_token(token, audience=AUDIENCE, via=caller.via)
            organization_id, told = principal.organization_id, shapes.introspection(principal, claims)
        except CredentialInvalid:
            session = refresh.session_of(token)
            organization_id, told = session.organization_id, shapes.refresh_introspection(session)
    except Unauthenticated:
        return INACTIVE
    is_own = organization_id is not None and organization_id == caller.client.organization_id
    return told if is_own or caller.client.is_internal else INACTIVE


def revoke(caller: Caller, token: str) -> None:
    """RFC 7009: end the caller's own token, and what was issued with it; anybody else's, and a dead one, are left alone."""
    try:
        try:
            principal, _claims = sessions.by_token(token, audience=AUDIENCE, via=caller.via)
            session = principal.session
        except CredentialInvalid:
            session = refresh.session_of(token)
    except Unauthenticated:
        return
    if session.client_id == caller.client_id:
        refresh.revoke(session=session, via=caller.via)


def require(form: Form, *names: str) -> None:
    """Go on only if every parameter is there and not empty (RFC 6749, 3.2). Raises Invalid naming those that are not."""
    missing = {name: ["missing"] for name in names if not form.get(name)}
    if missing:
        raise Invalid("missing", fields=missing)


def _check_exchange(form: Form) -> None:
    require(form, "subject_token", "subject_token_type", "actor_token", "actor_token_type")
    wrong = {
        "subject_token": not DIGITS.match(form["subject_token"]),
        "subject_token_type": form["subject_token_type"] != USER_ID_TYPE,
        "actor_token_type": form["actor_token_type"] != ACCESS_TOKEN_TYPE,
        "requested_token_type": form.get("requested_token_type", ACCESS_TOKEN_TYPE) != ACCESS_TOKEN_TYPE,
    }
    if any(wrong.values()):
        raise Invalid("exchange", fields={name: ["malformed"] for name, is_wrong in wrong.items() if is_wrong})


def _actor(caller: Caller, token: str) -> Principal:
    """Answer the person of an actor token, who is of the client's organisation. Raises LoginAsActorRefused."""
    try:
        actor, _claims = sessions.by_token(token, audience=AUDIENCE, via=caller.via)
    except Unauthenticated as e:
        raise LoginAsActorRefused(Rule.NOT_ALLOWED.value) from e
    if actor.organization_id is None or actor.organization_id != caller.client.organization_id:
        raise LoginAsActorRefused(Rule.NOT_ALLOWED.value)
    return actor


def _trade(caller: Caller, **shown: str) -> dict[str, Any]:
    traded = authorization_codes.trade(client=caller.client, via=caller.via, **shown)
    issued = shapes.access_token(traded.session, caller=caller)
    more = shapes.id_token(traded, issued, caller=caller)
    return shapes.answer(issued, session=traded.session, refresh_token=traded.refresh_token, **more)


GRANTS: dict[str, Callable[[Caller, Form], dict[str, Any]]] = {
    "client_credentials": client_credentials,
    "password": password,
    "refresh_token": refresh_token,
    "authorization_code": authorization_code,
    EXCHANGE: token_exchange,
}
