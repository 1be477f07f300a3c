"""Makes the demo cast: two organisations, their people, machines and applications, with random secrets (operating.md 3)."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from agents import actions as agents
from identity import applications, clients, organizations, personal_tokens, tokens, users
from identity.models import ApiKey, Application, Client, Organization, User
from identity.policy import GRANTS
from identity.principal import Principal, Role, at_the_console
from integrations.sandbox.known import CLIENTS as CLIENTS_AT

A, S, G = Role.ADMIN, Role.SUPERVISOR, Role.AGENT

PEOPLE: dict[str, dict[str, Any]] = {
    "alice": {"organization": "acme", "roles": [A], "grants": GRANTS, "first_name": "Alice", "last_name": "Almgren"},
    "bob": {"organization": "acme", "roles": [G], "extension": "08123456", "first_name": "Bob", "last_name": "Berg"},
    "carol": {"organization": "acme", "roles": [S], "grants": GRANTS[:1], "extension": "08123457", "first_name": "Carol", "last_name": "Ceder"},
    "dave": {"organization": "acme", "roles": [G], "extension": "08123458", "disabled": True, "first_name": "Dave", "last_name": "Dahl"},
    "ivan": {"organization": "acme", "roles": [G], "extension": "08123459", "first_name": "Ivan", "last_name": "Isaksson"},
    "erin": {"organization": "globex", "roles": [G], "extension": "08123456", "first_name": "Erin", "last_name": "Ek"},
    "frank": {"organization": "globex", "roles": [A], "first_name": "Frank", "last_name": "Falk"},
}  # fmt: skip
CLIENTS: dict[str, dict[str, Any]] = {
    "acme_service": {"organization": "acme", "roles": ["ClientService"]},
    "acme_admin": {"organization": "acme", "roles": ["Admin"]},
    "acme_agent": {"organization": "acme", "roles": ["Agent"]},
    "globex_admin": {"organization": "globex", "roles": ["Admin"]},
    "internal": {"roles": ["ClientService"], "is_internal": True},
    "agent_sso": {"organization": "acme", "roles": ["Agent"], "serves_sign_in": True, "redirects": True},
    "globex_sso": {"organization": "globex", "roles": ["Agent"], "serves_sign_in": True},
}


def _client_at(vendor: str) -> dict[str, str]:
    """Answer the client that the demo's application is at a vendor's stand-in."""
    client = CLIENTS_AT[vendor]
    return {"clientId": client.id, "clientSecret": client.secret}


APPLICATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "genesys": ("GENESYS", {
        "organizationId": "00000000-0000-4000-8000-0000000000ac", "pcEnvironment": "mypurecloud.ie",
        "serviceParameters": _client_at("genesys"),
        "agentParameters": {"embedded": True}, "customerParameters": {"theme": "light"},
    }),
    "talkdesk": ("TALKDESK_OPENID", {
        "account": "acme", "region": "eu", "serviceParameters": _client_at("talkdesk"),
    }),
    "nice": ("NICE_CXONE_OPENID", {
        "issuer": "https://cxone.niceincontact.com", "serviceParameters": _client_at("nice"),
    }),
    "openid": ("STANDALONE_OPENID", {
        "issuer": "https://id.acme.example", "serviceParameters": _client_at("openid"),
    }),
}  # fmt: skip
# How acme's people sign in with a vendor for which the sandbox stands in: as those who have its address here already, and
# with the roles that demo.json tells.
SIGN_IN = {"enabled": True, "linkBy": "email", "keepsRoles": True, "logsOut": True}


def build(known: dict[str, Any] | None = None, *, stand_ins: Sequence[str] = ()) -> dict[str, Any]:
    """Make what is missing of the cast and answer it in the shape of `demo.json`; entries that are `known` stay as they are.

    With the vendors of `stand_ins` acme's people may sign in. A secret cannot be read back: where the row is there and its
    entry is not, the entry is left out.
    """
    by, cast = at_the_console(), dict(known or {})
    acme = _organization(
        by, "acme", "Acme",
        link_bases=["https://auvious.video", "https://portal.acme.example", settings.PUBLIC_URL], otp_countries=["SE", "GR", "DE", "GB", "US"],
        cors_origins=["https://desk.acme.example", "http://localhost:3000"], sign_in_domains=["acme.example"] if stand_ins else [],
    )  # fmt: skip
    globex = _organization(by, "globex", "Globex", link_bases=[settings.PUBLIC_URL], otp_countries=["SE"])
    places = {"acme": acme, "globex": globex}
    tokens.ensure()
    cast.setdefault("base_url", settings.PUBLIC_URL)
    _fill(cast, "organizations", {n: lambda o=o: {"id": str(o.pk), "domain": o.domain} for n, o in places.items()})
    _fill(
        cast,
        "users",
        {
            n: lambda n=n: person(by, n, **{**PEOPLE[n], "organization": places[PEOPLE[n]["organization"]]})
            for n in PEOPLE
        },
    )
    _fill(cast, "api_keys", {n: lambda n=n, o=o: _api_key(by, o) for n, o in places.items()})
    _fill(cast, "clients", {n: lambda n=n: _client(by, n, places, **CLIENTS[n]) for n in CLIENTS})
    _fill(
        cast, "applications", {n: lambda n=n: _application(by, n, acme, signs_in=n in stand_ins) for n in APPLICATIONS}
    )
    _fill(cast, "ping_tokens", {"bob": lambda: _personal_token(by, "bob", acme)})
    return cast


class ForeignCast(Exception):
    """A `demo.json` tells of people whom the database does not know."""


def write(path: Path, *, stand_ins: Sequence[str] = ()) -> dict[str, Any]:
    """Make what is missing and write `demo.json` for its owner only; what it said before, it still says.

    Rows and file come together: a secret whose row was kept and whose entry was lost could never be told again. Raises
    ForeignCast when the file belongs to another database.
    """
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    known = [entry["user_id"] for entry in before.get("users", {}).values()]
    if known and not User.objects.filter(pk__in=known).exists():
        raise ForeignCast(path)
    with transaction.atomic():
        cast = build(json.loads(json.dumps(before)), stand_ins=stand_ins)
        if cast != before:
            _replace(path, cast)
    return cast


def _replace(path: Path, cast: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_suffix(".new")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(cast, file, indent=2, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def person(
    by: Principal, name: str, organization: Organization, *, roles: list[Role], email: str = "", extension: str | None = None,
    grants: Any = (), disabled: bool = False, first_name: str = "", last_name: str = "",
) -> dict[str, Any] | None:  # fmt: skip
    """Make a person with a random password, and an agent record for Agents and Supervisors; answers the entry of `demo.json`."""
    if users.find(name=name) is not None:
        return None
    made = users.create(
        by=by, username=name, email=email or f"{name}@{organization.domain}", organization=organization, roles=roles, grants=list(grants),
        first_name=first_name, last_name=last_name,
    )  # fmt: skip
    user = made.user
    entry: dict[str, Any] = {
        "user_id": user.pk, "username": user.username, "email": user.email, "password": made.password, "organization": organization.name,
        "roles": [role.value for role in roles],
    }  # fmt: skip
    if set(roles) & {G, S}:
        agent = agents.create(by=by, user=user, organization=organization, extension=extension)
        entry |= {"agent_id": agent.pk, "extension": agent.extension}
    if disabled:
        users.disable(by=by, user=user)
        entry["disabled"] = True
    return entry


def _fill(cast: dict[str, Any], section: str, makers: dict[str, Any]) -> None:
    entries = cast.setdefault(section, {})
    for name, make in makers.items():
        if name not in entries:
            entry = make()
            if entry is not None:
                entries[name] = entry


def _organization(by: Principal, name: str, title: str, **settings_of_it: Any) -> Organization:
    found = Organization.objects.filter(name=name).first()
    return found or organizations.create(by=by, name=name, domain=f"{name}.example", title=title, **settings_of_it)


def _api_key(by: Principal, organization: Organization) -> str | None:
    name = "demo"
    if ApiKey.objects.filter(organization=organization, name=name).exists():
        return None
    return clients.create_api_key(by=by, organization=organization, name=name).secret


def _client(
    by: Principal, name: str, places: dict[str, Organization], *, roles: list[str], organization: str | None = None, is_internal: bool = False,
    serves_sign_in: bool = False, redirects: bool = False,
) -> dict[str, Any] | None:  # fmt: skip
    owner = places[organization] if organization else None
    if Client.objects.filter(organization=owner, description=f"demo {name}").exists():
        return None
    uris = [f"{settings.PUBLIC_URL}/desk/callback"] if redirects else []
    made = clients.create(
        by=by, organization=owner, description=f"demo {name}", roles=roles, redirect_uris=uris, is_internal=is_internal, serves_sign_in=serves_sign_in
    )  # fmt: skip
    entry: dict[str, Any] = {"client_id": made.row.pk, "client_secret": made.secret, "roles": roles}
    if organization:
        entry["organization"] = organization
    if is_internal:
        entry["internal"] = True
    if uris:
        entry["redirect_uris"] = uris
    return entry


def _application(by: Principal, name: str, organization: Organization, *, signs_in: bool) -> str:
    type_, config = APPLICATIONS[name]
    found = Application.objects.filter(organization=organization, type=type_).order_by("created_at").first()
    if found is None:
        more = {"signIn": SIGN_IN} if signs_in else {}
        found = applications.create(by=by, organization=organization, type_=type_, config={**config, **more})
    return str(found.pk)


def _personal_token(by: Principal, name: str, organization: Organization) -> str:
    user = User.objects.get(username=name)
    return personal_tokens.create(by=by, user=user, domain=organization.domain, label="demo").text
