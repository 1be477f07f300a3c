"""Every type of application with the JSON schema of its configuration, and which types people write by grant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext_lazy as _
from jsonschema import Draft202012Validator, ValidationError

from identity import applications, crypto
from identity.errors import Invalid, NotAllowed
from identity.models import Application
from identity.principal import Kind, Principal
from integrations.providers import policy
from integrations.providers.policy import offering
from integrations.vendors import genesys, nice, talkdesk

SECTIONS = ("serviceParameters", "agentParameters", "customerParameters")
# Where entries stand below the top: the sections of the wire, which not everybody sees, and our own.
PLACES = (*SECTIONS, policy.SECTION)
ANY: dict[str, Any] = {"type": "object", "properties": {name: {"type": "object"} for name in SECTIONS}}
# A name that the public internet may know, perhaps a port and a path: no address, no user, no query, no fragment (OpenID
# Connect Discovery 1.0, 3). Where it leads is looked at when it is called.
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
ISSUER = rf"^https://({LABEL}\.)+(?=[a-z]){LABEL}(:[0-9]{{1,5}})?(/[!\"$->@-~]*)?\Z"
# As long as an identity can keep it.
LONGEST_ISSUER = 300
OPENID: dict[str, Any] = {
    "type": "object",
    "properties": {**ANY["properties"], "serviceParameters": {
        "type": "object",
        "properties": {
            "clientId": {"title": _("Client id"), "type": "string"}, "clientSecret": {"title": _("Client secret"), "type": "string"},
        },
    }, "issuer": {"title": _("Issuer"), "type": "string", "pattern": ISSUER, "maxLength": LONGEST_ISSUER}},
}  # fmt: skip

SCHEMAS: dict[str, dict[str, Any]] = {
    "GENESYS": offering(genesys.CONFIG),
    "STANDALONE_OPENID": offering(OPENID, "issuer"),
    "TALKDESK_OPENID": offering(talkdesk.CONFIG),
    "NICE_CXONE_OPENID": offering(nice.CONFIG),
    "TEST": ANY,
    "SETUP_TEST": ANY,
}
# Writing these asks for a grant of the vendor's own, whatever the role (dialects.md 3.2, Applications).
BY_GRANT = frozenset({"GENESYS"})

_VALIDATORS = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}


def sections_of(type_: str) -> dict[str, dict[str, Any]]:
    """Answer where a configuration's entries stand, with the schema of each place: the top under "", then the sections."""
    top = SCHEMAS[type_]["properties"]
    known = {name: said for name, said in top.items() if name not in PLACES}
    return {"": {**SCHEMAS[type_], "properties": known}, **{name: top[name] for name in PLACES if name in top}}


def grant_of(type_: str, verb: str) -> str:
    """Answer the grant that writing a type asks for (`add`, `edit`, `delete`), or nothing where the role decides."""
    return f"integrations:integration:{verb}" if type_ in BY_GRANT else ""


def check(type_: str, config: dict[str, Any]) -> None:
    """Go on only with a configuration that its type can work with. Raises Invalid naming each entry as `config.…`.

    What is said never repeats a value: it may be a secret.
    """
    wrong = {field: [said] for error in _VALIDATORS[type_].iter_errors(config) for field, said in _said(error)}
    if wrong:
        raise Invalid("config", fields=wrong)


def require_decider(
    *, by: Principal, type_: str, config: dict[str, Any], application: Application | None = None
) -> None:
    """Go on only if the caller may decide who signs in, where a configuration offers that otherwise than the application now.

    A grant lets somebody connect a vendor; whoever chooses the system that vouches for people is everybody whom it vouches
    for, admins too: a person decides that, or an internal service. Raises NotAllowed.
    """
    said = config.get(policy.SECTION)  # not looked at by `check` yet
    is_offered = isinstance(said, dict) and said.get("enabled") is True
    if is_offered and (application is None or _vouching(type_, config) != _vouching(type_, _known_of(application))):
        applications.require_writer(by)
        if by.kind is Kind.CLIENT and not by.is_internal:
            raise NotAllowed("a machine's secret must not be enough to become a person")


def checked(application: Application) -> dict[str, Any]:
    """Answer an application's whole configuration, secrets opened, if a call may be made of it.

    Asked once more at each call: a row may be older than the rules, or have come in by another way. Raises Invalid as `check`.
    """
    config = applications.config_of(application)
    check(application.type, config)
    return config


def _vouching(type_: str, config: dict[str, Any]) -> dict[str, Any]:
    """Answer what decides whose word counts, and for what: where the system is, our client there, and the policy."""
    known = {name for section, schema in sections_of(type_).items() if not section for name in schema["properties"]}
    return {name: config.get(name) for name in (*known, "serviceParameters", policy.SECTION)}


def _known_of(application: Application) -> dict[str, Any]:
    """Answer an application's configuration, or nothing of one whose key is gone."""
    try:
        return applications.config_of(application)
    except crypto.SealBroken:
        return {}


def _said(error: ValidationError) -> Iterator[tuple[str, str]]:
    path = ".".join(["config", *map(str, error.absolute_path)])
    if error.validator != "required":
        yield path, "Not accepted."
        return
    for name in error.validator_value:
        if name not in error.instance:
            yield f"{path}.{name}", "Missing."
