"""The LSID and the API key: where they may stand, how long they live, what they cost, and that no log line holds them."""

from __future__ import annotations

import io
import logging
from datetime import timedelta

import pytest
from django.conf import settings as configured
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.logging import JsonLines, WithoutPaths
from identity import clients, clock
from identity.models import ApiKey, Organization, Session
from identity.principal import at_the_console

pytestmark = pytest.mark.wire("platform28", "1.1 calling rules")

AMBIGUOUS = "Ambiguous credentials"
REQUIRED = "Authentication required"


def key_of(cast, name="acme"):
    return cast.said["api_keys"][name]


# --- where -----------------------------------------------------------------------------------------------------------
def test_the_lsid_stands_behind_any_segment_or_in_a_header(p28):
    session = p28.login("bob")
    lsid, handle = session["lsid"], session["id"]

    for path in (
        f"/session/{handle};lsid={lsid}",
        f"/session;lsid={lsid}/{handle}",
        f"/session;lsid={lsid}/{handle};lsid={lsid};x=1",
        f"/session/{handle};x=;lsid={lsid}",
    ):
        assert p28.ask("GET", path).status_code == 200
    for said in (lsid, f"{lsid}, {lsid}"):
        assert p28.ask("GET", f"/session/{handle}", headers={"X-LSID": said}).status_code == 200
    assert p28.ask("GET", f"/session/{handle};lsid={lsid}", headers={"X-LSID": lsid}).status_code == 200


def test_the_key_stands_in_the_query_or_in_a_header(p28, cast):
    handle, key = p28.login("bob")["id"], key_of(cast)

    for path in (f"/session/{handle}?apiKey={key}", f"/session/{handle}?apiKey={key}&apiKey={key}"):
        assert p28.ask("GET", path).status_code == 200
    assert p28.ask("GET", f"/session/{handle}", headers={"X-Api-Key": key}).status_code == 200
    assert p28.ask("GET", f"/session/{handle}?apiKey={key}", headers={"X-Api-Key": key}).status_code == 200


TWO = {
    "LSID and key": (";lsid={lsid}?apiKey={key}", {}),
    "two LSIDs": (";lsid={lsid};lsid={other}", {}),
    "LSIDs in two ways": (";lsid={lsid}", {"X-LSID": "{other}"}),
    "a repeated header": ("", {"X-LSID": "{lsid},{other}"}),
    "an empty one beside": (";lsid=;lsid={lsid}", {}),
    "two keys": ("?apiKey={key}&apiKey={other}", {}),
    "keys in two ways": ("?apiKey={key}", {"X-Api-Key": "{other}"}),
    "header and header": ("", {"X-LSID": "{lsid}", "X-Api-Key": "{key}"}),
    "an LSID in the query": ("?lsid={lsid}", {}),
    "an LSID in both": (";lsid={lsid}?lsid={lsid}", {}),
    "a key as matrix parameter": (";apiKey={key}", {}),
    "two dead ones": (";lsid=a;lsid=b", {}),
}


@pytest.mark.parametrize(("tail", "headers"), list(TWO.values()), ids=list(TWO))
def test_whose_authority_counts_is_never_guessed(p28, cast, says, tail, headers):
    session = p28.login("bob")
    words = {"lsid": session["lsid"], "key": key_of(cast), "other": p28.login("ivan")["lsid"]}
    sent = {name: value.format(**words) for name, value in headers.items()}

    for method, path in (
        ("GET", f"/session/{session['id']}"),
        ("PUT", "/password/1"),
        ("GET", "/authenticate/block/test"),
        ("POST", "/authenticate/bob"),
        ("POST", "/password/reset"),
    ):
        says(p28.ask(method, path + tail.format(**words), headers=sent), 400, AMBIGUOUS)
    assert p28.is_alive(session)


DEAD = {
    "none": ("", {}),
    "empty": (";lsid=", {}),
    "without a value": (";lsid", {}),
    "the handle": (";lsid={id}", {}),
    "another case": (";LSID={lsid}", {}),
    "unknown": (";lsid=swl_0123456789012345678901234567890123456789012", {}),
    "strange characters": (";lsid=\u00e5%00%ED%A0%80", {}),
    "a key for an LSID": (";lsid={key}", {}),
    "an LSID for a key": ("?apiKey={lsid}", {}),
    "an empty key": ("?apiKey=", {}),
    "a bearer": ("", {"Authorization": "Bearer {lsid}"}),
    "a cookie": ("", {"Cookie": "lsid={lsid}"}),
    "another door's secret": (";lsid={portal}", {}),
}


@pytest.mark.parametrize(("tail", "headers"), list(DEAD.values()), ids=list(DEAD))
def test_none_or_a_dead_credential_is_401(p28, cast, says, tail, headers):
    words = {**p28.login("bob"), "key": key_of(cast), "portal": cast.session("bob", door="portal").secret}
    sent = {name: value.format(**words) for name, value in headers.items()}

    says(p28.ask("GET", f"/session/{words['id']}{tail.format(**words)}", headers=sent), 401, REQUIRED)


def test_a_revoked_key_and_one_of_a_suspended_organisation_are_dead(p28, cast, says):
    handle, key = p28.login("bob")["id"], key_of(cast)
    clients.revoke_api_key(by=at_the_console(), key=ApiKey.objects.get(organization__name="acme"))
    says(p28.ask("GET", f"/session/{handle}?apiKey={key}"), 401, REQUIRED)

    Organization.objects.filter(name="globex").update(suspended_at=clock.now())
    says(p28.ask("GET", f"/session/{handle}?apiKey={key_of(cast, 'globex')}"), 401, REQUIRED)


# --- how long --------------------------------------------------------------------------------------------------------
def aged(session, **fields):
    Session.objects.filter(pk=session["id"]).update(**fields)


def test_an_unused_lsid_idles_out_and_one_in_use_does_not(p28, says, settings):
    settings.LSID_IDLE_SECONDS = 100
    session = p28.login("bob")
    aged(session, last_seen_at=clock.now() - timedelta(seconds=99))

    assert p28.is_alive(session)
    assert clock.now() - Session.objects.get(pk=session["id"]).last_seen_at < timedelta(seconds=10)
    aged(session, last_seen_at=clock.now() - timedelta(seconds=100))
    says(p28.session("GET", session), 401, REQUIRED)


def test_use_is_written_down_when_older_than_a_tenth_of_the_idle_time(p28, settings):
    settings.LSID_IDLE_SECONDS = 100
    session = p28.login("bob")
    for age, is_written in ((9, False), (11, True)):
        seen = clock.now() - timedelta(seconds=age)
        aged(session, last_seen_at=seen)
        p28.session("GET", session)
        assert (Session.objects.get(pk=session["id"]).last_seen_at != seen) is is_written


def test_no_use_lengthens_the_absolute_life(p28, says, settings):
    settings.LSID_LIFETIME_SECONDS = 60
    session = p28.login("bob")
    clone = p28.session("POST", session, "/clone").json()
    for one in (session, clone):
        aged(one, expires_at=clock.now())
        says(p28.session("GET", one), 401, REQUIRED)


# --- what they cost --------------------------------------------------------------------------------------------------
def selects(queries):
    return [query["sql"] for query in queries]


@pytest.mark.parametrize("who", ["an LSID", "an acting LSID", "an LSID elsewhere", "an API key"])
def test_proving_a_caller_costs_at_most_two_queries(p28, cast, who):
    session = p28.login("alice")
    if who == "an acting LSID":
        p28.become(session, "bob")
    if who == "an LSID elsewhere":
        p28.session("POST", session, "/setEffectiveOrg", body=session["orgId"])
    path = f"/session/{session['id']}"
    proof = {"headers": {"X-Api-Key": key_of(cast)}} if who == "an API key" else {"lsid": session["lsid"]}
    p28.ask("GET", path, **proof)

    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = p28.ask("GET", path, **proof)

    assert answer.status_code == 200
    # An own session is read by being proven; a key's look-up of a session comes on top of its one query.
    assert len(captured) == 2, selects(captured)


# --- what is written down --------------------------------------------------------------------------------------------
def test_no_log_line_holds_an_lsid_or_a_key_or_a_hash(p28, cast):
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonLines())
    handler.addFilter(WithoutPaths())
    logging.getLogger().addHandler(handler)
    assert configured.LOGGING["formatters"]["json"]["()"] == "config.logging.JsonLines"
    try:
        session, key = p28.login("bob"), key_of(cast)
        lsid, wrong = session["lsid"], cast.digest("ivan")
        for method, path in (
            ("GET", f"/session/{lsid};lsid={lsid}"),
            ("GET", f"/session/{lsid}"),
            ("GET", f"/session/x;lsid={lsid}?apiKey={key}"),
            ("GET", f"/session/x?apiKey={key}&lsid={lsid}"),
            ("GET", f"/session/a/b/c;lsid={lsid}/d?apiKey={key}"),
            ("GET", f"//session/x;lsid={lsid}"),
            ("GET", f"/nowhere/x;lsid={lsid}?apiKey={key}"),
            ("PATCH", f"/session/x;lsid={lsid}"),
            ("POST", f"/authenticate/{wrong}?apiKey={key}"),
            ("DELETE", f"/session/{session['id']};lsid={lsid}"),
        ):
            p28.ask(method, path, body={"passwordHash": wrong})
        logging.getLogger("somebody.else").warning("GET /session/x;lsid=%s?apiKey=%s X-LSID: %s", lsid, key, lsid)
    finally:
        logging.getLogger().removeHandler(handler)

    written = lines.getvalue()
    assert "Not Found: GET" in written
    assert [secret for secret in (lsid, key, wrong) if secret in written] == []
