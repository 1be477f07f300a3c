"""Signing in with an application: what the provider is asked, what of its answers counts, and in which browser."""

from __future__ import annotations

import logging
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings as portal
from django.core.cache import cache
from joserfc.jwk import RSAKey

from identity import audit, clock, organizations, sessions, sign_in
from identity.models import Application, AuditEvent, Session, User
from identity.principal import Via, at_the_console
from integrations.models import ExternalIdentity, ExternalSignIn
from integrations.providers.proof import Asked, SignInRefused
from integrations.stories import external_people, sign_in_with
from tests.cast import Cast
from tests.integrations.stories.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Elsewhere,
    Visitor,
    challenge_of,
    said,
    signed,
    signed_by_another,
    signed_by_hand,
    signed_with_our_secret,
    signed_with_the_public_key,
    unsigned,
)

Connect = Callable[..., Application]
UNPROVEN = "What came back from your provider does not prove who you are."
STALE = "This sign-in was over, or was begun in another browser."
MISCONFIGURED = "This way to sign in is not set up rightly."
UNREACHABLE = "Your provider did not answer in time, or not in a way that we understand."
NOW = int(clock.now().timestamp())


@pytest.fixture
def acme_id(connect: Connect) -> Application:
    """The provider, which recognises acme's people by their verified address."""
    return connect(linkBy="email")


def nobody_came_in() -> bool:
    return not Session.objects.filter(door="portal").exists()


# --- there and back ----------------------------------------------------------------------------------------------------------
def test_the_provider_is_asked_with_pkce_state_and_nonce(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application
) -> None:
    asked = visitor.away(acme_id)

    assert visitor.left.url.startswith(f"{elsewhere.url}/authorize?")
    assert {name: asked.pop(name) for name in ("response_type", "client_id", "redirect_uri", "scope", "code_challenge_method")} == {
        "response_type": "code", "client_id": CLIENT_ID, "scope": "openid profile email", "code_challenge_method": "S256",
        "redirect_uri": f"{portal.PUBLIC_URL}/login/with/{acme_id.pk}/callback/",
    }  # fmt: skip
    assert {name: len(value) for name, value in asked.items()} == {"state": 43, "nonce": 43, "code_challenge": 43}
    kept = visitor.cookies["switchboard_with"]
    assert (kept["httponly"], kept["secure"], kept["samesite"], kept["path"], kept["max-age"]) == (
        True,
        True,
        "Lax",
        "/login/with/",
        600,
    )


def test_somebody_known_by_a_verified_address_comes_in(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, cast: Cast
) -> None:
    asked = visitor.away(acme_id, "?next=/account/")
    elsewhere.nonce = asked["nonce"]
    arrived = visitor.back(acme_id, code="a-code", state=asked["state"])

    assert (arrived.status_code, arrived.url) == (302, "/account/")
    assert visitor.is_signed_in
    assert not visitor.has("switchboard_with")
    [(headers, form)] = elsewhere.asked("/token")
    verifier = form.pop("code_verifier")[0]
    assert challenge_of(verifier) == asked["code_challenge"]
    assert form == {"grant_type": ["authorization_code"], "code": ["a-code"], "redirect_uri": [asked["redirect_uri"]]}
    assert headers["Authorization"].startswith("Basic ")
    session = Session.objects.get(user=cast.user("bob"), door="portal")
    assert (session.organization, session.idle_seconds) == (cast.organization("acme"), 1800)
    rows = (
        AuditEvent.objects.filter(door="with")
        .order_by("pk")
        .values_list("event", "actor", "subject", "organization_name", "details")
    )
    assert list(rows) == [
        ("user.linked", f"application {acme_id.pk}", "bob", "acme", {"application": acme_id.pk, "issuer": elsewhere.url, "how": "email"}),
        ("login.succeeded", "bob", "bob", "acme", {"application": acme_id.pk, "session": str(session.pk)}),
    ]  # fmt: skip


def test_who_was_linked_once_is_known_by_the_subject_whatever_becomes_of_the_address(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, cast: Cast
) -> None:
    visitor.through(elsewhere, acme_id)
    elsewhere.claims |= {"email": "carol@acme.example", "email_verified": False}

    assert Visitor().through(elsewhere, acme_id).url == "/desk/"

    assert Session.objects.filter(door="portal", user=cast.user("bob")).count() == 2
    assert ExternalIdentity.objects.get().last_used_at is not None


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/\nx"]
)
def test_nobody_is_led_elsewhere(visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, target: str) -> None:
    visitor.get(f"/login/with/{acme_id.pk}/", {"next": target})
    assert ExternalSignIn.objects.get().next_path == ""
    assert visitor.through(elsewhere, acme_id).url == "/desk/"


def test_a_session_before_gives_way(visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, cast: Cast) -> None:
    visitor.sign_in(cast, "carol")
    visitor.through(elsewhere, acme_id)
    assert Session.objects.get(user=cast.user("carol"), door="portal").end_reason == "signed_in_again"
    assert "bob" in visitor.get("/account/").text


def test_another_sites_link_does_not_end_the_session_that_is_open(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, cast: Cast
) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert visitor.get(f"/login/with/{acme_id.pk}/", headers=foreign).url.startswith(elsewhere.url), (
        "nobody is in: a tile may lead here"
    )
    visitor.sign_in(cast, "carol")
    assert visitor.get(f"/login/with/{acme_id.pk}/", headers=foreign).url == "/login/"


def test_a_client_that_wants_a_fresh_proof_gets_one_from_the_provider(
    visitor: Visitor, acme_id: Application, cast: Cast
) -> None:
    organizations.change(by=at_the_console(), organization=cast.organization("acme"), sign_in_domains=["acme.example"])
    assert "prompt" not in visitor.away(acme_id)
    page = visitor.get("/login/?next=/oauth/authorize&again")
    assert 'name="again" value="1"' in page.text
    page = visitor.send("/login/company/", email="bob@acme.example", next="/oauth/authorize", again="1")
    assert buttons(page) == [f"{portal.PUBLIC_URL}/login/with/{acme_id.pk}/?next=%2Foauth%2Fauthorize&amp;again=1"]
    assert visitor.away(acme_id, "?again=1")["prompt"] == "login"


# --- what does not count as a proof ------------------------------------------------------------------------------------------
FALSE_CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://id.globex.example"},
    "another client": {"aud": "somebody-else"},
    "more clients, and not said for whom": {"aud": [CLIENT_ID, "somebody-else"]},
    "for another client of those": {"aud": [CLIENT_ID, "somebody-else"], "azp": "somebody-else"},
    "no client": {"aud": None},
    "over": {"exp": NOW - 3600},
    "without an end": {"exp": None},
    "an end in words": {"exp": "tomorrow"},
    "from the future": {"iat": NOW + 7200, "exp": NOW + 9000},
    "not yet": {"nbf": NOW + 7200},
    "no nonce": {"nonce": None},
    "the nonce of another sign-in": {"nonce": "another"},
    "nobody": {"sub": None},
    "an empty name": {"sub": ""},
    "a number for a name": {"sub": 1},
    "a name that cannot be kept": {"sub": "a\0b"},
    "a name without end": {"sub": "x" * 256},
    "the hash of another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    "methods in words": {"amr": "mfa"},
}
FORGERIES: dict[str, Callable[[dict[str, Any]], str]] = {
    "signed by another key": signed_by_another,
    "signed with our own secret": signed_with_our_secret,
    "signed with the public key as a secret": signed_with_the_public_key,
    "not signed": unsigned,
    "with a header that must be understood": lambda claims: signed_by_hand(claims, {"crit": ["rule"], "rule": 1}),
    "as something else": lambda claims: signed_by_hand(claims, {"alg": ["RS256"]}),
    "with a key in its header": lambda claims: signed_by_hand(claims, {"kid": {}}),
    "no token": lambda claims: "…",
    "two parts": lambda claims: signed(claims).rpartition(".")[0],
    "another's claims under its signature": lambda claims: ".".join(
        (signed(claims).split(".")[0], signed({**claims, "sub": "2"}).split(".")[1], signed(claims).split(".")[2])
    ),
}


@pytest.mark.parametrize("claims", FALSE_CLAIMS.values(), ids=FALSE_CLAIMS)
def test_a_token_with_false_claims_proves_nothing(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, claims: dict[str, Any]
) -> None:
    elsewhere.claims |= claims
    answer = visitor.through(elsewhere, acme_id)
    assert (answer.status_code, said(answer)) == (403, UNPROVEN)
    assert nobody_came_in()
    assert AuditEvent.objects.get(event="login.failed").rule == "unproven"


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_token_that_the_provider_did_not_sign_proves_nothing(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, forge: Callable[[dict[str, Any]], str]
) -> None:
    elsewhere.sign = forge
    answer = visitor.through(elsewhere, acme_id)
    assert (answer.status_code, said(answer)) == (403, UNPROVEN)
    assert nobody_came_in()


@pytest.mark.parametrize("iss", ["https://id.globex.example", ""])
def test_an_answer_of_another_provider_is_refused_before_the_code_goes_out(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, iss: str
) -> None:
    elsewhere.metadata["authorization_response_iss_parameter_supported"] = True
    asked = visitor.away(acme_id)
    answer = visitor.back(acme_id, code="a-code", state=asked["state"], **({"iss": iss} if iss else {}))
    assert said(answer) == UNPROVEN
    assert elsewhere.asked("/token") == []


def test_an_answer_that_names_its_provider_is_taken(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application
) -> None:
    elsewhere.metadata["authorization_response_iss_parameter_supported"] = True
    asked = visitor.away(acme_id)
    elsewhere.nonce = asked["nonce"]
    assert visitor.back(acme_id, code="a-code", state=asked["state"], iss=elsewhere.url).url == "/desk/"


def test_keys_that_were_turned_over_are_asked_for_again(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application
) -> None:
    visitor.through(elsewhere, acme_id)
    new = RSAKey.generate_key(2048, {"kid": "two", "use": "sig"})
    elsewhere.keys = [new.as_dict(private=False)]
    elsewhere.sign = lambda claims: signed(claims, key=new, kid="two")

    assert Visitor().through(elsewhere, acme_id).url == "/desk/"
    assert len(elsewhere.asked("/keys")) == 2


def test_keys_that_were_asked_for_again_verify_no_forgery_either(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application
) -> None:
    visitor.through(elsewhere, acme_id)
    elsewhere.sign = signed_by_another
    assert said(Visitor().through(elsewhere, acme_id)) == UNPROVEN
    assert len(elsewhere.asked("/keys")) == 2


def test_a_userinfo_that_says_nothing_adds_nothing(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application
) -> None:
    elsewhere.claims = {"sub": "7"}
    for endpoint in (f"{elsewhere.url}/nowhere", 5):
        elsewhere.metadata["userinfo_endpoint"] = endpoint
        cache.clear()
        assert said(visitor.through(elsewhere, acme_id)).startswith("Your provider did not tell us an e-mail address")


def test_what_is_asked_hides_its_secrets() -> None:
    assert repr(Asked("state", "nonce", "verifier", "https://x/")) == "Asked(…)"
    assert repr(sign_in_with.Begun("https://x/?state=y", "z")) == "Begun(…)"


def test_what_the_token_leaves_out_userinfo_may_say_of_the_same_person(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, cast: Cast
) -> None:
    elsewhere.claims = {"sub": "7"}
    elsewhere.metadata["userinfo_endpoint"] = f"{elsewhere.url}/userinfo"
    elsewhere.answers["/userinfo"] = 200, {"sub": "8", "email": "bob@acme.example", "email_verified": True}
    assert said(visitor.through(elsewhere, acme_id)) == UNPROVEN

    elsewhere.answers["/userinfo"] = 200, {"sub": "7", "email": "bob@acme.example", "email_verified": True}
    assert visitor.through(elsewhere, acme_id).url == "/desk/"
    assert elsewhere.asked("/userinfo")[-1][0]["Authorization"] == "Bearer of no use to you"
    assert ExternalIdentity.objects.get().user == cast.user("bob")


@pytest.mark.parametrize(
    "keys",
    [None, "keys", [1], [{}], [{"kty": "RSA"}], [{"kty": "RSA", "n": 1, "e": 2}], [{"kty": "oct", "k": "AAAA", "kid": "one"}], [{"kty": {}}]],
    ids=repr,
)  # fmt: skip
def test_keys_that_are_none_verify_nothing(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, keys: Any
) -> None:
    elsewhere.keys = keys
    answer = visitor.through(elsewhere, acme_id)
    assert (answer.status_code, said(answer)) == (403, UNPROVEN)


@pytest.mark.parametrize(
    "key",
    [{"kty": "EC", "crv": "brainpoolP512r1", "x": "AA", "y": "AA", "kid": "two"}, {"kty": "EC", "kid": "two"},
     {"kty": "RSA", "n": "A" * 400, "kid": "two"}, {"kty": "RSA", "n": "?" * 400, "e": 5}],
    ids=["a curve of tomorrow", "half of one", "without an exponent", "no number"],
)  # fmt: skip
def test_a_key_that_we_do_not_know_spoils_no_other(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, key: dict[str, Any]
) -> None:
    """A set is for many readers, and each leaves aside what it cannot read (RFC 7517, 5)."""
    elsewhere.keys = [key, *elsewhere.keys]
    assert visitor.through(elsewhere, acme_id).url == "/desk/"


def test_a_key_that_can_be_broken_verifies_nothing(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application
) -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505  # that is the point
    n = weak.public_key().public_numbers().n.to_bytes(128, "big")
    elsewhere.keys = [{"kty": "RSA", "kid": "one", "e": "AQAB", "n": urlsafe_b64encode(n).decode().rstrip("=")}]
    elsewhere.sign = lambda claims: signed_by_hand(claims, {}, key=weak)
    assert said(visitor.through(elsewhere, acme_id)) == UNPROVEN


# --- whose answer it is ------------------------------------------------------------------------------------------------------
def test_an_answer_counts_once(visitor: Visitor, elsewhere: Elsewhere, acme_id: Application) -> None:
    asked = visitor.away(acme_id)
    elsewhere.nonce = asked["nonce"]
    kept = visitor.cookies["switchboard_with"].value
    assert visitor.back(acme_id, code="a-code", state=asked["state"]).url == "/desk/"

    visitor.cookies["switchboard_with"] = kept
    assert said(visitor.back(acme_id, code="a-code", state=asked["state"])) == STALE
    assert len(elsewhere.asked("/token")) == 1


@pytest.mark.parametrize("what", ["unlinked", "disconnected", "taken by another tab"])
def test_what_was_taken_away_on_the_way_in_opens_no_session(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, cast: Cast, what: str
) -> None:
    asked = visitor.away(acme_id)
    elsewhere.nonce = asked["nonce"]
    via, browser = Via(door="portal", address="127.0.0.1"), visitor.cookies["switchboard_with"].value
    arrived = sign_in_with.finish(
        application_id=acme_id.pk, answer={"code": "a-code", "state": asked["state"]}, browser=browser, via=via
    )

    if what == "unlinked":
        external_people.unlink(by=at_the_console(), identity=ExternalIdentity.objects.get())
    elif what == "disconnected":
        external_people.disconnect(by=at_the_console(), application=acme_id)
    else:
        faster = sign_in.open_session(arrived.proven, via=via, lifetime=timedelta(hours=1)).session
        sign_in_with.keep(arrived=arrived, session=faster)
    opened = sign_in.open_session(arrived.proven, via=via, lifetime=timedelta(hours=1))
    with pytest.raises(SignInRefused, match="taken away"):
        sign_in_with.keep(arrived=arrived, session=opened.session)

    assert Session.objects.get(pk=opened.session.pk).end_reason == "unlinked"
    assert Session.objects.filter(door="portal", ended_at=None).count() == (what == "taken by another tab")


def test_an_answer_counts_once_however_many_bring_it(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, at_once: Any
) -> None:
    asked = visitor.away(acme_id)
    elsewhere.nonce = asked["nonce"]
    kept = visitor.cookies["switchboard_with"].value

    def bring(_number: int) -> int:
        tab = Visitor()
        tab.cookies["switchboard_with"] = kept
        return int(tab.back(acme_id, code="a-code", state=asked["state"]).status_code)

    assert sorted(at_once(8, bring)) == [302] + [403] * 7
    assert len(elsewhere.asked("/token")) == 1


def test_an_answer_that_somebody_else_asked_for_signs_nobody_in(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application
) -> None:
    # given eve's own answer, which she has a stranger open
    eve = Visitor()
    asked = eve.away(acme_id)
    elsewhere.nonce = asked["nonce"]

    for stranger in (visitor, Visitor()):
        answer = stranger.back(acme_id, code="a-code", state=asked["state"])
        assert (answer.status_code, said(answer)) == (403, STALE)
        stranger.away(acme_id)  # also in the middle of a sign-in of his own

    assert elsewhere.asked("/token") == []


def test_an_answer_comes_too_late_after_ten_minutes(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application
) -> None:
    asked = visitor.away(acme_id)
    ExternalSignIn.objects.update(expires_at=clock.now())
    assert said(visitor.back(acme_id, code="a-code", state=asked["state"])) == STALE


def test_an_answer_counts_at_the_application_that_asked(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, connect: Connect
) -> None:
    asked = visitor.away(acme_id)
    assert said(visitor.back(connect(linkBy="email"), code="a-code", state=asked["state"])) == STALE
    assert elsewhere.asked("/token") == []


@pytest.mark.parametrize("answer", [{}, {"code": "a-code"}, {"code": "a-code", "state": "guessed"}, {"code": "a-code", "state": ["x", "x"]}], ids=["nothing", "no state", "a guess", "twice"])  # fmt: skip
def test_an_answer_that_nobody_waits_for_is_refused(
    visitor: Visitor, acme_id: Application, answer: dict[str, Any]
) -> None:
    visitor.away(acme_id)
    assert said(visitor.back(acme_id, **answer)) == STALE


def test_a_refusal_of_the_provider_is_a_page_that_says_what_to_do(visitor: Visitor, acme_id: Application) -> None:
    asked = visitor.away(acme_id)
    answer = visitor.back(acme_id, error="access_denied", error_description="<script>", state=asked["state"])
    assert (answer.status_code, said(answer)) == (403, "The sign-in was cancelled or refused at your provider.")
    assert "&lt;script&gt;" not in answer.text
    assert "<script>" not in answer.text.partition("<body>")[2]
    assert f'href="/login/with/{acme_id.pk}/"' in answer.text
    row = AuditEvent.objects.get(event="login.failed")
    assert (row.door, row.subject, row.organization_name, row.rule) == ("with", acme_id.pk, "acme", "refused")


# --- providers that fail, or are not where they say --------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys"])
@pytest.mark.parametrize(
    "broken", [(500, {}), (200, "<html>"), (200, "[1]"), (302, {})], ids=["500", "html", "list", "redirect"]
)
def test_a_provider_that_fails_is_a_page_with_502(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, path: str, broken: Any
) -> None:
    elsewhere.answers[path] = broken
    answer = visitor.get(f"/login/with/{acme_id.pk}/")
    if answer.status_code == 302:
        state = answer.url.partition("state=")[2].partition("&")[0]
        answer = visitor.back(acme_id, code="a-code", state=state)
    assert (answer.status_code, said(answer)) == (502, UNREACHABLE)
    assert nobody_came_in()


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys"])
def test_a_provider_without_its_documents_is_a_page_with_502(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, path: str
) -> None:
    elsewhere.answers[path] = 404, {}
    answer = visitor.get(f"/login/with/{acme_id.pk}/")
    if answer.status_code == 302:
        answer = visitor.through(elsewhere, acme_id)
    assert (answer.status_code, said(answer)) == (502, UNREACHABLE)


def test_a_provider_that_is_not_there_is_a_page_with_502(visitor: Visitor, acme_id: Application, settings: Any) -> None:
    settings.OPENID_BASE_URL = "http://127.0.0.1:9"
    answer = visitor.get(f"/login/with/{acme_id.pk}/")
    assert (answer.status_code, said(answer)) == (502, UNREACHABLE)


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "address", ["https://evil.example/x", "http://127.0.0.1:1/x", "//x", "/x", "", None, 5], ids=repr
)
def test_an_endpoint_that_is_not_the_providers_is_never_asked(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, name: str, address: Any
) -> None:
    elsewhere.metadata[name] = address
    answer = visitor.get(f"/login/with/{acme_id.pk}/")
    assert (answer.status_code, said(answer)) == (403, MISCONFIGURED)


@pytest.mark.parametrize(
    ("error", "sentence"), [("invalid_grant", UNPROVEN), ("invalid_client", MISCONFIGURED), ("", MISCONFIGURED)]
)
def test_a_code_that_is_not_taken_says_whose_fault_it_is(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, error: str, sentence: str
) -> None:
    elsewhere.answers["/token"] = 400, {"error": error} if error else "no JSON"
    assert said(visitor.through(elsewhere, acme_id)) == sentence


def test_our_secret_goes_the_way_that_the_provider_takes_it(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application
) -> None:
    elsewhere.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    visitor.through(elsewhere, acme_id)
    [(headers, form)] = elsewhere.asked("/token")
    assert "Authorization" not in headers
    assert (form["client_id"], form["client_secret"]) == ([CLIENT_ID], [CLIENT_SECRET])


@pytest.mark.parametrize(("type_", "path"), [("STANDALONE_OPENID", "/token"), ("GENESYS", "/oauth/token")])
def test_a_client_without_a_secret_says_its_name(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, type_: str, path: str
) -> None:
    visitor.through(elsewhere, connect(type_=type_, is_public=True))
    [(headers, form)] = elsewhere.asked(path)
    assert "Authorization" not in headers
    assert form["client_id"] == [CLIENT_ID]
    assert "client_secret" not in form


def test_a_configuration_that_went_bad_is_not_asked_for(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application
) -> None:
    Application.objects.filter(pk=acme_id.pk).update(config={"signIn": {"enabled": True}}, sealed="")
    answer = visitor.get(f"/login/with/{acme_id.pk}/")
    assert (answer.status_code, said(answer)) == (403, MISCONFIGURED)
    assert elsewhere.heard == []


# --- who may be asked at all -------------------------------------------------------------------------------------------------
def test_an_application_that_does_not_offer_it_is_none(
    visitor: Visitor, cast: Cast, connect: Connect, acme_id: Application
) -> None:
    hidden = connect(linkBy="email")
    Application.objects.filter(pk=hidden.pk).update(is_visible=False)
    over = connect(linkBy="email")
    Application.objects.filter(pk=over.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    for pk in (hidden.pk, over.pk, connect(enabled=False).pk, cast.said["applications"]["openid"], "unknown", "a%00b"):
        assert visitor.get(f"/login/with/{pk}/").status_code == 404
        assert visitor.get(f"/login/with/{pk}/callback/?code=1&state=2").status_code == 404
        assert visitor.get(f"/login/with/{pk}/code/").status_code == 404

    organizations.suspend(by=at_the_console(), organization=cast.organization("acme"))
    assert visitor.get(f"/login/with/{acme_id.pk}/").status_code == 404


def test_sign_ins_that_come_to_nothing_are_limited_by_address_and_those_that_succeed_are_not(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application, settings: Any
) -> None:
    settings.THROTTLE_LOGIN_PER_ADDRESS = (3, 60)
    for _ in range(4):
        assert Visitor().through(elsewhere, acme_id).url == "/desk/"
    for _ in range(3):
        visitor.away(acme_id)

    refused = visitor.get(f"/login/with/{acme_id.pk}/")

    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 60


def test_sign_ins_that_came_to_nothing_are_forgotten(visitor: Visitor, acme_id: Application) -> None:
    for _ in range(5):
        visitor.away(acme_id)
    ExternalSignIn.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    visitor.away(acme_id)
    assert ExternalSignIn.objects.count() == 1


# --- what nobody may read ----------------------------------------------------------------------------------------------------
def test_no_code_no_token_and_no_secret_is_written_down(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    application = connect(linkBy="email", logsOut=True)
    tokens: list[str] = []

    def sign(claims: dict[str, Any]) -> str:
        tokens.append(signed(claims))
        return tokens[-1]

    elsewhere.sign = sign
    with caplog.at_level(logging.DEBUG):
        asked = visitor.away(application)
        elsewhere.nonce = asked["nonce"]
        assert visitor.back(application, code="the-secret-code", state=asked["state"]).url == "/desk/"
        elsewhere.claims["exp"] = 1
        Visitor().through(elsewhere, application)
    verifier = elsewhere.asked("/token")[0][1]["code_verifier"][0]
    row = ExternalSignIn.objects.exclude(session=None).get()
    kept = [
        str(list(ExternalSignIn.objects.values())),
        str(list(AuditEvent.objects.values())),
        str(list(Session.objects.values())),
    ]

    for secret in (
        "the-secret-code",
        verifier,
        asked["state"],
        asked["nonce"],
        *tokens,
        CLIENT_SECRET,
        "of no use to you",
    ):
        assert secret not in caplog.text
        assert not [table for table in kept if secret in table]
    assert row.sealed


# --- out again ---------------------------------------------------------------------------------------------------------------
def test_logging_out_leads_on_to_the_provider_once(visitor: Visitor, elsewhere: Elsewhere, connect: Connect) -> None:
    visitor.through(elsewhere, connect(linkBy="email", logsOut=True))
    visitor.get("/desk/")

    out = visitor.send("/logout/")

    assert out.url == f"/login/with/left/{ExternalSignIn.objects.get().pk}/"
    assert not visitor.is_signed_in
    page = visitor.get(out.url)
    address = page["Refresh"].removeprefix("0; url=")
    assert address.startswith(f"{elsewhere.url}/leave?id_token_hint=ey")
    assert f"client_id={CLIENT_ID}&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1%3A8000%2Flogin%2F" in address
    assert page["Cache-Control"] == "no-store"
    assert visitor.get(out.url).url == "/login/", "once"


def test_nobody_is_led_on_before_he_logged_out_or_long_after(
    visitor: Visitor, elsewhere: Elsewhere, connect: Connect
) -> None:
    visitor.through(elsewhere, connect(linkBy="email", logsOut=True))
    row = ExternalSignIn.objects.get()
    path = f"/login/with/left/{row.pk}/"
    assert visitor.get(path).url == "/login/"
    assert row.session is not None
    sessions.close(row.session.pk, reason="logout")
    Session.objects.update(ended_at=clock.now() - timedelta(minutes=6))
    assert visitor.get(path).url == "/login/"


def test_without_the_administrators_word_logging_out_ends_here(
    visitor: Visitor, elsewhere: Elsewhere, acme_id: Application
) -> None:
    visitor.through(elsewhere, acme_id)
    visitor.get("/desk/")
    assert visitor.send("/logout/").url == "/login/"


# --- buttons -----------------------------------------------------------------------------------------------------------------
def buttons(page: Any) -> list[str]:
    return [part.partition('"')[0] for part in page.text.split('href="')[1:] if "/login/with/" in part[:80]]


def ask(visitor: Visitor, email: str) -> Any:
    visitor.get("/login/?next=/account/")
    return visitor.send("/login/company/", email=email, next="/account/")


def test_the_company_of_an_address_is_found_by_its_domain_and_nobody_is_looked_up(
    visitor: Visitor, cast: Cast, acme_id: Application
) -> None:
    by = at_the_console()
    organizations.change(by=by, organization=cast.organization("acme"), sign_in_domains=["acme.example"])
    assert buttons(visitor.get("/login/")) == []

    known, unknown = ask(visitor, "bob@acme.example"), ask(visitor, "nobody@ACME.example")

    for page in (known, unknown):
        assert buttons(page) == [f"{portal.PUBLIC_URL}/login/with/{acme_id.pk}/?next=%2Faccount%2F"]
        assert "Continue with Acme" in page.text
    assert "No company is known here" in ask(visitor, "bob@nowhere.example").text
    assert "No company is known here" in ask(visitor, "bob@evil.acme.example").text
    assert ask(visitor, "not an address").status_code == 400


def test_a_domain_belongs_to_the_organisation_that_is_called_so_or_to_the_only_one_that_claims_it(
    visitor: Visitor, cast: Cast, acme_id: Application
) -> None:
    by, acme, globex = at_the_console(), cast.organization("acme"), cast.organization("globex")
    organizations.change(by=by, organization=acme, sign_in_domains=["acme.example", "globex.example", "shared.example"])
    assert buttons(ask(visitor, "frank@globex.example")) == [], "acme draws nobody of globex to its provider"
    assert len(buttons(ask(visitor, "x@shared.example"))) == 1
    organizations.change(by=by, organization=globex, sign_in_domains=["shared.example"])
    assert buttons(ask(visitor, "x@shared.example")) == []


def test_a_host_of_its_own_shows_an_organisations_buttons_at_once(
    visitor: Visitor, cast: Cast, acme_id: Application, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["login.acme.example", "login.globex.example"]
    organizations.change(
        by=at_the_console(), organization=cast.organization("acme"), sign_in_hosts=["login.acme.example"]
    )
    assert len(buttons(visitor.get("/login/", headers={"Host": "login.acme.example:8443"}))) == 1
    assert buttons(visitor.get("/login/", headers={"Host": "login.globex.example"})) == []


def test_where_there_is_one_organisation_only_every_page_is_its_own(
    visitor: Visitor, cast: Cast, acme_id: Application
) -> None:
    organizations.suspend(by=at_the_console(), organization=cast.organization("globex"))
    assert len(buttons(visitor.get("/login/"))) == 1


def test_where_nobody_offers_it_the_page_does_not_ask(visitor: Visitor, cast: Cast) -> None:
    assert "Sign in through your company" not in visitor.get("/login/").text
    assert User.objects.exists()


def test_the_chain_of_the_audit_trail_holds(visitor: Visitor, elsewhere: Elsewhere, acme_id: Application) -> None:
    visitor.through(elsewhere, acme_id)
    audit.seal()
    assert audit.verify() == []
