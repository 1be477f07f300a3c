"""Signing in with an application: from the button over the provider back to a person of the organisation, and out again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from identity import audit, clock, crypto, limits, sessions, sign_in
from identity.errors import Invalid, NotFound, TooManyAttempts, UpstreamUnavailable, WrongCredentials
from identity.limits import Rate
from identity.models import Application, Organization, Session, User
from identity.pages.ways import Way
from identity.principal import Via
from identity.sign_in import Proven
from integrations.models import ExternalSignIn
from integrations.providers.genesys import GenesysProvider
from integrations.providers.openid import OpenIdProvider
from integrations.providers.policy import Policy
from integrations.providers.proof import Asked, Proof, Provider, SignInRefused, Why
from integrations.stories import external_people
from integrations.vendors import configs

DOOR = "with"
TYPES = ("GENESYS", "STANDALONE_OPENID", "TALKDESK_OPENID", "NICE_CXONE_OPENID")
NAMES = {"GENESYS": "Genesys Cloud", "TALKDESK_OPENID": "Talkdesk", "NICE_CXONE_OPENID": "NICE CXone"}
LIFETIME = timedelta(minutes=10)
# How long after a logout here the browser may still be led on to the provider's.
LEAVING = timedelta(minutes=5)
STATE_PURPOSE, BROWSER_PURPOSE = "sign-in-with", "sign-in-with-browser"
MOST_PURGED = 100


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was begun: where the browser has to go, and the secret by which it is known again."""

    address: str
    browser: str

    def __repr__(self) -> str:
        return "Begun(…)"


@dataclass(frozen=True, slots=True)
class Arrived:
    """Somebody who came back and may come in: who, by which sign-in, and where they wanted to go."""

    proven: Proven
    sign_in: ExternalSignIn
    next_path: str


class Ways:
    """The applications that people sign in with, as buttons of the sign-in page (identity.pages.ways)."""

    def are_there(self) -> bool:
        return _offering().exists()

    def offered(self, *, host: str = "", email: str = "") -> list[Way]:
        """Answer the ways of one organisation: of this host, of this e-mail domain, or of the only one that there is."""
        organization_id = _of_email(email) if email else _of_host(host)
        if organization_id is None:
            return []
        return [
            Way(f"{settings.PUBLIC_URL}/login/with/{application.pk}/", _label(application))
            for application in _offering().filter(organization_id=organization_id).order_by("created_at", "pk")
        ]

    def way_out(self, *, session_id: Any) -> str:
        row = ExternalSignIn.objects.filter(session_id=session_id).exclude(sealed="").first()
        return f"/login/with/left/{row.pk}/" if row else ""


def begin(*, application_id: str, next_path: str, browser: str, via: Via, wants_fresh_proof: bool = False) -> Begun:
    """Begin a sign-in with an application and answer where the browser has to go.

    `browser` is the secret that it brought from another tab, or nothing; with `wants_fresh_proof` the provider asks also
    whom it knows already. Raises NotFound (unknown, not offered),
    TooManyAttempts (THROTTLE_LOGIN_PER_ADDRESS counts those that came to nothing), SignInRefused, UpstreamUnavailable.
    """
    at = clock.now()
    application = _find(application_id)
    charged = limits.charge(_limit(via), Rate.of(settings.THROTTLE_LOGIN_PER_ADDRESS), at=at)
    if not charged.is_within:
        raise TooManyAttempts(retry_after=charged.until - at)
    asked = Asked(crypto.make(), crypto.make(), crypto.make(), redirect_uri(application), wants_fresh_proof)
    address = _provider(application).authorization_address(asked)

    browser = browser or crypto.make()
    row = ExternalSignIn(
        application=application, state_digest=crypto.digest(asked.state, purpose=STATE_PURPOSE), next_path=next_path,
        browser_digest=crypto.digest(browser, purpose=BROWSER_PURPOSE), created_at=at, expires_at=at + LIFETIME,
    )  # fmt: skip
    row.sealed = crypto.seal(json.dumps({"nonce": asked.nonce, "verifier": asked.verifier}), place=row.place())
    row.save(force_insert=True)
    _purge(at=at)
    return Begun(address, browser)


def finish(*, application_id: str, answer: Mapping[str, str], browser: str, via: Via) -> Arrived:
    """Take the answer that a browser brings back from a provider, and answer whom it lets in.

    `answer` holds `state` and `code` or `error`, maybe `iss`. It counts once, in the browser that it was asked for, within
    ten minutes. Raises NotFound, SignInRefused, sign_in.SecondFactorMissing (`confirm` goes on), UpstreamUnavailable.
    """
    at = clock.now()
    application = _find(application_id)
    try:
        row, asked = _claim(application, answer.get("state", ""), browser, at=at)
        if "code" not in answer:
            raise SignInRefused(Why.REFUSED, "the provider did not say yes")
        proof = _provider(application).prove(asked, answer)
    except SignInRefused as e:
        _record(application, via=via, rule=e.why)
        raise
    except UpstreamUnavailable:
        _record(application, via=via, rule=Why.UNREACHABLE)
        raise
    return _let_in(application, row, proof, via=via)


def confirm(*, application_id: str, otp: str, browser: str, via: Via) -> Arrived:
    """Go on with the sign-in of a browser that waits for a second factor.

    Raises SignInRefused, WrongCredentials (a wrong code, counted), TooManyAttempts.
    """
    at = clock.now()
    application = _find(application_id)
    waiting = ExternalSignIn.objects.select_related("identity__user").filter(
        application=application, browser_digest__in=crypto.digests(browser, purpose=BROWSER_PURPOSE), identity__isnull=False,
        session=None, expires_at__gt=at,
    )  # fmt: skip
    row = waiting.order_by("-answered_at").first()
    if row is None or row.identity is None:
        raise SignInRefused(Why.STALE)
    proven = sign_in.admit(
        user=row.identity.user, organization=application.organization, passed_second_factor=False, otp=otp, via=via
    )
    limits.refund(_limit(via))
    return Arrived(proven, row, row.next_path)


def keep(*, arrived: Arrived, session: Session) -> None:
    """Remember which session came of a sign-in: it ends with the link and the application, and its logout can go on there.

    Claims by the write: a session of a sign-in that is gone meanwhile, or that another tab used up, would outlive what vouched
    for it, and is ended. Raises SignInRefused.
    """
    if ExternalSignIn.objects.filter(pk=arrived.sign_in.pk, session=None).update(session=session) != 1:
        sessions.close(session.pk, reason="unlinked")
        raise SignInRefused(Why.STALE, "it was taken away meanwhile")


def leave(*, sign_in_id: UUID) -> str:
    """Answer where a browser logs out at the provider after it logged out here, once. Raises NotFound."""
    at = clock.now()
    row = ExternalSignIn.objects.filter(pk=sign_in_id, session__ended_at__gt=at - LEAVING).exclude(sealed="").first()
    # Claims by the write: the address holds an id_token, which says who somebody is.
    if row is None or ExternalSignIn.objects.filter(pk=row.pk, sealed=row.sealed).update(sealed="") != 1:
        raise NotFound("nothing to leave")
    said: dict[str, str] = json.loads(crypto.open_sealed(row.sealed, place=row.place()))
    return said["logout_address"]


def name_of(*, application_id: str) -> str:
    """Answer what people call an application's provider. Raises NotFound."""
    return _label(_find(application_id))


# --- which applications ------------------------------------------------------------------------------------------------------
def _offering() -> QuerySet[Application]:
    """Answer the applications that anybody may sign in with."""
    found = Application.objects.filter(
        type__in=TYPES, is_visible=True, organization__suspended_at=None, config__signIn__enabled=True
    )
    return found.filter(Q(expires_at=None) | Q(expires_at__gt=clock.now()))


def _find(application_id: str) -> Application:
    if "\0" in application_id:
        raise NotFound("no such application")
    application = _offering().select_related("organization").filter(pk=application_id).first()
    if application is None:
        raise NotFound("no such application")
    return application


def _provider(application: Application) -> Provider:
    try:
        config = configs.checked(application)
    except (Invalid, crypto.SealBroken) as e:
        raise SignInRefused(Why.MISCONFIGURED, "the configuration is not complete") from e
    if application.type == "GENESYS":
        return GenesysProvider.of(application, config)
    return OpenIdProvider.of(application, config)


def _label(application: Application) -> str:
    name = NAMES.get(application.type, str(application.organization))
    return Policy.of(application.config).label or _("Continue with %s") % name


def redirect_uri(application: Application) -> str:
    """Answer where this application's provider sends the browser back: an address of its own, so that no two are mixed up."""
    return f"{settings.PUBLIC_URL}/login/with/{application.pk}/callback/"


# --- whose page --------------------------------------------------------------------------------------------------------------
def _of_host(host: str) -> UUID | None:
    """Answer the organisation that a host name is the sign-in page of; where there is only one, every page is."""
    open_ = list(Organization.objects.filter(suspended_at=None).values_list("pk", flat=True)[:2])
    if len(open_) == 1:
        return open_[0]
    name = host.rpartition(":")[0] or host if not host.endswith("]") else host
    return _only(_claiming("sign_in_hosts", name.lower()))


def _of_email(email: str) -> UUID | None:
    """Answer the organisation of an e-mail domain: its own by name before anybody who lists it.

    Of several that list one, none: an organisation could draw another's people to a sign-in page of its choice.
    """
    domain = email.rpartition("@")[2].strip().lower()
    claims = _claiming("sign_in_domains", domain)
    owner = Organization.objects.filter(domain__iexact=domain).values_list("pk", flat=True).first()
    if owner is not None:
        return owner if owner in claims else None
    return _only(claims)


def _claiming(setting: str, name: str) -> list[UUID]:
    found = Organization.objects.filter(suspended_at=None).exclude(**{setting: []}).values_list("pk", setting)
    return [pk for pk, names in found if name in names]


def _only(found: list[UUID]) -> UUID | None:
    return found[0] if len(found) == 1 else None


# --- one sign-in -------------------------------------------------------------------------------------------------------------
def _claim(application: Application, state: str, browser: str, *, at: datetime) -> tuple[ExternalSignIn, Asked]:
    """Take a sign-in for this one answer. Raises SignInRefused for an answer that nobody waits for, or waits for no more."""
    row = ExternalSignIn.objects.filter(
        state_digest__in=crypto.digests(state, purpose=STATE_PURPOSE), application=application
    ).first()
    # Of another browser: somebody may have sent an answer of his own, to have a stranger work in his account.
    if row is None or not (browser and crypto.matches(browser, row.browser_digest, purpose=BROWSER_PURPOSE)):
        raise SignInRefused(Why.STALE, "nobody waits for this answer")
    # Claims first: an answer that is brought twice at once would be traded twice.
    waiting = ExternalSignIn.objects.filter(pk=row.pk, answered_at=None, expires_at__gt=at)
    if waiting.update(answered_at=at, sealed="") != 1:
        raise SignInRefused(Why.STALE, "the answer came too late, or again")
    said: dict[str, str] = json.loads(crypto.open_sealed(row.sealed, place=row.place()))
    return row, Asked(state, said["nonce"], said["verifier"], redirect_uri(application))


def _let_in(application: Application, row: ExternalSignIn, proof: Proof, *, via: Via) -> Arrived:
    """Find or make the person of a proof and let them in. Raises SignInRefused, sign_in.SecondFactorMissing."""
    try:
        identity = external_people.recognise(application=application, proof=proof, via=via)
    except SignInRefused as e:
        _record(application, via=via, rule=e.why, name=proof.email)
        raise
    row.identity = identity
    if proof.logout_address:
        row.sealed = crypto.seal(json.dumps({"logout_address": proof.logout_address}), place=row.place())
    else:
        row.sealed = ""
    row.save(update_fields=["identity", "sealed"])
    try:
        proven = sign_in.admit(
            user=identity.user, organization=application.organization, passed_second_factor=proof.passed_second_factor, via=via
        )  # fmt: skip
    except sign_in.SecondFactorMissing:
        raise
    except WrongCredentials as e:
        _record(application, via=via, rule=Why.SHUT, user=identity.user)
        raise SignInRefused(Why.SHUT) from e
    limits.refund(_limit(via))
    return Arrived(proven, row, row.next_path)


def _record(application: Application, *, via: Via, rule: str, user: User | None = None, name: str = "") -> None:
    """Write a sign-in that came to nothing down; of a stranger only the application is named."""
    audit.refused(
        "login.failed", via=via, subject=user, name=application.pk, organization=application.organization, rule=rule
    )


def _limit(via: Via) -> str:
    return limits.key_for("sign-in-with", via.address)


def _purge(*, at: datetime) -> None:
    """Delete sign-ins that came to nothing, a few for every one that begins: so they can never grow in number by themselves."""
    over = ExternalSignIn.objects.filter(session=None, expires_at__lt=at).values_list("pk", flat=True)[:MOST_PURGED]
    ExternalSignIn.objects.filter(pk__in=list(over)).delete()
