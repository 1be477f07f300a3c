"""Codes that prove whose a telephone or a mailbox is: asked for, sent, checked (dialects.md 3.2, OTP; clarifications 36)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.test import Client as Browser

from identity import applications, clock, otp, outbox
from identity.models import Application, AuditEvent, Client, ClientUse, OtpVerification
from identity.principal import Via, at_the_console
from tests.cast import Cast
from tests.integrations.dialects.auvious.conftest import Caller, Callers, empty, refused
from tests.integrations.dialects.oauth.conftest import CUSTOMER

pytestmark = pytest.mark.wire("auvious", "3.2 OTP")

AtOnce = Callable[[int, Callable[[int], Any]], list[Any]]

TO, OTHER = "+46701740605", "+46701740606"
MAIL = "kund@example.com"
CODE = re.compile(r"(?<!\d)\d(?:[ ,.]*\d){5}(?!\d)")


@dataclass
class Spool:
    """The messages that went out, as the recipients got them."""

    folder: Path

    def messages(self, to: str = "") -> list[dict[str, Any]]:
        """Answer what was sent, oldest first."""
        outbox.drain()
        sent = [json.loads(path.read_text()) for path in sorted(self.folder.glob("*.json"))]
        return [message for message in sent if not to or message["to"] == to]

    def code(self, to: str = TO) -> str:
        """Answer the code in the newest message to somebody."""
        found = CODE.search(self.messages(to)[-1]["body"])
        assert found
        return re.sub(r"\D", "", found.group())


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, settings: Any) -> Spool:
    settings.MESSAGE_SPOOL = tmp_path
    settings.OTP_RESEND_SECONDS = 0
    settings.THROTTLE_OTP_PER_ADDRESS = (1000, 60)
    return Spool(tmp_path)


@pytest.fixture
def service(callers: Callers) -> Caller:
    return callers.client("acme_service")


@pytest.fixture
def application(cast: Cast) -> Application:
    """An application of acme through which strangers may ask for codes."""
    row = applications.find(application_id=cast.said["applications"]["openid"])
    applications.set_flags(by=at_the_console(), application=row, allows_anonymous_registration=True)
    return row


def ask(by: Caller, to: str = TO, **fields: Any) -> Any:
    return by.post("/otp", {"to": to, **fields})


def start(by: Caller, to: str = TO, **fields: Any) -> str:
    """Ask for a code and answer the verification's id."""
    answer = ask(by, to, **fields)
    assert answer.status_code == 200, answer.content
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert list(body) == ["id"]
    return str(UUID(body["id"]))


def check(by: Caller, id_: str, code: str, to: str = TO) -> Any:
    return by.post("/otp/verify", {"to": to, "code": code, "verificationId": id_})


def wrong(code: str, step: int = 1) -> str:
    return f"{(int(code) + step) % 10**6:06d}"


def customer(callers: Callers) -> Caller:
    """Redeem a ticket."""
    ticket = callers.client("acme_service").post("/ticket", {"type": "MULTI_USE_TICKET", "properties": {}}).json()["id"]
    answer = callers.endpoint.ask({"grant_type": "password", "username": ticket}, by=CUSTOMER)
    return Caller(answer.json()["access_token"])


# --- asked for -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("channel", "to", "spoken", "used"),
    [("SMS", TO, "en", "en"), ("VOICE", TO, "el", "el"), ("EMAIL", MAIL, "ja", "ja"), (None, TO, None, "sv"), (None, MAIL, None, "en")],
    ids=["SMS", "VOICE", "EMAIL", "a number", "an address"],
)  # fmt: skip
def test_a_code_goes_out_by_every_channel_and_comes_back(
    service: Caller, spool: Spool, channel: str | None, to: str, spoken: str | None, used: str
) -> None:
    id_ = start(service, to, channel=channel, locale=spoken, customName="Åsas Bank")

    (message,) = spool.messages()
    sent_by = channel or ("EMAIL" if "@" in to else "SMS")
    assert {name: message[name] for name in ("channel", "to", "template", "organization", "locale")} == {
        "channel": sent_by, "to": to, "template": "otp", "organization": "acme", "locale": used,
    }  # fmt: skip
    assert "Åsas Bank" in message["body"]
    assert (message["subject"] is not None, message["html"] is not None) == (sent_by == "EMAIL",) * 2
    if sent_by == "VOICE":
        assert not re.search(r"\d{2}", message["body"]), "spoken digits stand apart"
    empty(check(service, id_, spool.code(to), to), 204)


@pytest.mark.parametrize(
    ("to", "said", "used"),
    [
        (TO, "pr-BR", "pt-BR"), (TO, "pt-BR", "pt-BR"), (TO, "en-GB", "en-GB"), (TO, "zh-HK", "zh-HK"), (TO, None, "sv"),
        ("+306912345678", None, "el"), ("+12025550123", None, "en"), ("+447400123456", None, "en-GB"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_that_was_said_or_the_countrys(
    service: Caller, spool: Spool, to: str, said: str | None, used: str
) -> None:
    start(service, to, locale=said)
    assert [message["locale"] for message in spool.messages()] == [used]


def test_a_second_request_sends_the_same_code_under_the_same_id_by_any_channel(service: Caller, spool: Spool) -> None:
    one, code = start(service), spool.code()

    again = [start(service, channel="VOICE"), start(service, locale="el")]

    assert again == [one, one]
    assert [message["channel"] for message in spool.messages()] == ["SMS", "VOICE", "SMS"]
    assert {re.sub(r"\D", "", CODE.findall(message["body"])[0]) for message in spool.messages()} == {code}


def test_a_recipient_has_one_code_per_organisation(callers: Callers, service: Caller, spool: Spool) -> None:
    one = start(service)
    other = start(callers.client("globex_admin"))

    assert other != one
    assert [message["organization"] for message in spool.messages()] == ["acme", "globex"]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"to": TO, "locale": "xx"}, "locale"), ({"to": TO, "locale": "SV"}, "locale"), ({"to": TO, "locale": 1}, "locale"),
        ({"to": TO, "channel": "UNKNOWN"}, "channel"), ({"to": TO, "channel": "sms"}, "channel"), ({"to": TO, "channel": ""}, "channel"),
        ({"to": TO, "channel": ["SMS"]}, "channel"), ({"to": TO, "channel": "EMAIL"}, "to"), ({"to": MAIL, "channel": "SMS"}, "to"),
        ({"to": "0701740605"}, "to"), ({"to": "+46"}, "to"), ({"to": "a@"}, "to"), ({"to": ""}, "to"), ({"to": None}, "to"), ({}, "to"),
        ({"to": 46701740605}, "to"), ({"to": [TO]}, "to"), ({"to": {"number": TO}}, "to"), ({"to": "+46701740605\n"}, "to"),
        ({"to": "+33612345678"}, "to"), ({"to": "+469001234567", "channel": "VOICE"}, "to"), ({"to": "+18005550123"}, "to"),
        ({"to": TO, "customName": "www.evil.example"}, "customName"), ({"to": TO, "customName": "x" * 31}, "customName"),
        ({"to": TO, "customName": "a\nb"}, "customName"), ({"to": TO, "customName": 7}, "customName"), ([TO], "body"), ("x", "body"),
    ],
    ids=[
        "locale-unknown", "locale-case", "locale-number", "channel-unknown", "channel-case", "channel-empty", "channel-list",
        "number-by-mail", "mail-by-sms", "no-plus", "too-short", "half-a-mailbox", "to-empty", "to-null", "to-missing", "to-number",
        "to-list", "to-object", "to-newline", "country", "premium", "toll-free", "name-url", "name-long", "name-line", "name-number",
        "list", "text",
    ],
)  # fmt: skip
def test_a_bad_request_names_the_field_and_sends_nothing(service: Caller, spool: Spool, body: Any, names: str) -> None:
    refused(service.post("/otp", body), 400, names)
    assert spool.messages() == []
    assert not OtpVerification.objects.exists()


def test_what_is_not_known_is_ignored_and_null_is_missing(service: Caller, spool: Spool) -> None:
    body = {
        "to": TO,
        "channel": None,
        "customName": None,
        "locale": None,
        "organizationId": None,
        "id": "x",
        "code": "111111",
    }
    assert service.post("/otp", body).status_code == 200
    assert len(spool.messages(TO)) == 1


# --- limits ----------------------------------------------------------------------------------------------------------
def test_the_sixth_message_is_one_too_many_whatever_the_channel_and_also_when_the_code_is_exhausted(
    service: Caller, spool: Spool
) -> None:
    id_, code = start(service), spool.code()
    for step in range(1, 6):
        refused(check(service, id_, wrong(code, step)), 400, "code")
    later = {start(service, channel=channel) for channel in ("VOICE", "SMS", "VOICE", "SMS")}

    answer = ask(service)

    assert (len(later), id_ in later) == (1, False)
    refused(answer, 429)
    assert 1 <= int(answer.headers["Retry-After"]) <= 600
    assert len(spool.messages()) == 5
    start(service, OTHER)


def test_between_two_messages_is_a_pause(service: Caller, spool: Spool, settings: Any) -> None:
    settings.OTP_RESEND_SECONDS = 20
    with time_machine.travel(clock.now(), tick=False) as traveller:
        id_ = start(service)
        answer = ask(service, channel="VOICE")
        refused(answer, 429)
        assert answer.headers["Retry-After"] == "20"
        traveller.shift(20)
        assert start(service, channel="VOICE") == id_
        assert [message["channel"] for message in spool.messages()] == ["SMS", "VOICE"]


def test_requests_are_counted_per_address_and_checks_are_not(service: Caller, settings: Any) -> None:
    settings.THROTTLE_OTP_PER_ADDRESS = (3, 60)
    for to in (TO, OTHER, MAIL):
        id_ = start(service, to)
    answer = ask(service, "+46701740607")
    refused(answer, 429)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    for step in range(4):
        assert check(service, id_, f"{step}", MAIL).status_code == 400
    elsewhere = Browser().post(
        "/security/otp", {"to": "+46701740607"}, content_type="application/json", REMOTE_ADDR="127.0.0.9",
        headers={"Authorization": f"Bearer {service.token}"},
    )  # fmt: skip
    assert elsewhere.status_code == 200


def test_a_clients_own_limit_holds_here_too(callers: Callers, service: Caller) -> None:
    Client.objects.filter(pk=callers.id_of("acme_service")).update(requests_per_minute=1)
    id_ = start(service)
    answer = check(service, id_, "000000")
    refused(answer, 429)
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


# --- checked ---------------------------------------------------------------------------------------------------------
def test_a_right_code_may_be_checked_again_until_the_call_that_it_was_for(service: Caller, spool: Spool) -> None:
    id_, code = start(service), spool.code()
    for _ in range(7):
        empty(check(service, id_, code), 204)
    acme = OtpVerification.objects.get(pk=id_).organization
    held = otp.hold(organization=acme, verification_id=id_, code=code, via=Via(door="test"))
    empty(check(service, id_, code), 204)
    otp.consume(held, via=Via(door="test"))
    refused(check(service, id_, code), 404)
    events = AuditEvent.objects.filter(subject=id_).order_by("pk").values_list("event", flat=True)
    assert list(events) == ["otp.requested", "otp.approved", "otp.consumed"]


@pytest.mark.parametrize(
    "spelling",
    ["{wrong}", "", "12345", " {code}", "{code}0", "٠١٢٣٤٥", "x" * 100_000],
    ids=["wrong", "empty", "short", "space", "long", "arabic", "endless"],
)
def test_a_wrong_code_is_refused_and_the_right_one_still_works(service: Caller, spool: Spool, spelling: str) -> None:
    id_, code = start(service), spool.code()
    for _ in range(4):
        refused(check(service, id_, spelling.format(code=code, wrong=wrong(code))), 400, "code")
    empty(check(service, id_, code), 204)


@pytest.mark.parametrize("said", [OTHER, "nobody", "46701740605", MAIL])
def test_a_wrong_recipient_is_refused_and_counts(service: Caller, spool: Spool, said: str) -> None:
    id_, code = start(service), spool.code()
    for _ in range(5):
        refused(check(service, id_, code, said), 400, "code")
    refused(check(service, id_, code), 404)


def test_after_five_wrong_codes_even_the_right_one_is_nothing(service: Caller, spool: Spool) -> None:
    id_, code = start(service), spool.code()
    for step in range(1, 6):
        refused(check(service, id_, wrong(code, step)), 400, "code")
    refused(check(service, id_, wrong(code)), 404)
    refused(check(service, id_, code), 404)
    assert start(service) != id_


def test_a_code_is_over_after_ten_minutes_and_the_next_one_is_another(service: Caller, spool: Spool) -> None:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        id_, code = start(service), spool.code()
        traveller.shift(599)
        empty(check(service, id_, code), 204)
        traveller.shift(1)
        refused(check(service, id_, code), 404)
        other = start(service)
        assert other != id_
        refused(check(service, id_, spool.code()), 404)
        empty(check(service, other, spool.code()), 204)


@pytest.mark.parametrize(
    "id_", ["1234567890", str(uuid4()), "nothing", "å", "../otp"], ids=["digits", "uuid", "word", "letter", "path"]
)
def test_an_unknown_id_is_not_found(service: Caller, id_: str) -> None:
    refused(check(service, id_, "123456"), 404)


def test_another_organisations_verification_is_not_found(callers: Callers, service: Caller, spool: Spool) -> None:
    id_, code = start(service), spool.code()
    foreign = callers.client("globex_admin")
    for _ in range(6):
        refused(check(foreign, id_, code), 404)
    empty(check(callers.person("bob"), id_, code), 204)


def test_a_mailbox_is_the_same_in_capitals(service: Caller, spool: Spool) -> None:
    id_ = start(service, "Kund@Example.com")
    code = spool.code("Kund@Example.com")
    assert start(service, "kund@EXAMPLE.com") == id_
    empty(check(service, id_, code, "KUND@example.com"), 204)


@pytest.mark.parametrize("missing", ["to", "code", "verificationId"])
@pytest.mark.parametrize(
    "said", [None, 123456, ["123456"], {"a": "b"}, True, ""], ids=["null", "number", "list", "object", "true", "empty"]
)
def test_a_check_needs_three_texts(service: Caller, spool: Spool, missing: str, said: Any) -> None:
    id_, code = start(service), spool.code()
    body = {"to": TO, "code": code, "verificationId": id_}
    refused(service.post("/otp/verify", {**body, missing: said}), 400, missing)
    refused(service.post("/otp/verify", {name: value for name, value in body.items() if name != missing}), 400, missing)
    assert OtpVerification.objects.get().attempts == 0


# --- who may ---------------------------------------------------------------------------------------------------------
def test_people_and_clients_may_ask_and_customers_may_not(callers: Callers, service: Caller, spool: Spool) -> None:
    for number, by in enumerate((callers.person("alice"), callers.person("carol"), callers.person("bob"), callers.client("acme_agent"), service)):  # fmt: skip
        id_ = start(by, f"+4670174060{number}")
        empty(check(by, id_, spool.code(f"+4670174060{number}"), f"+4670174060{number}"), 204)
    mine = customer(callers)
    for body in ({"to": TO}, {}, [], {"to": TO, "organizationId": "x"}):
        refused(mine.post("/otp", body), 403)
        refused(mine.post("/otp/verify", body), 403)
    refused(mine.post("/otp", b"{"), 400)


def test_a_client_without_roles_may_not_ask(callers: Callers, service: Caller) -> None:
    Client.objects.filter(pk=callers.id_of("acme_service")).update(roles=[])
    refused(ask(service), 403)
    refused(service.post("/otp", {}), 403)
    refused(service.post("/otp/verify", {}), 403)


def test_whoever_works_as_somebody_else_asks_in_both_names(callers: Callers, cast: Cast) -> None:
    id_ = start(callers.exchanged("alice", "bob"))
    event = AuditEvent.objects.get(subject=id_, event="otp.requested")
    assert (event.actor, event.acting_as) == ("alice", "bob")


def test_without_a_token_nothing_is_sent_or_checked(callers: Callers, spool: Spool) -> None:
    for by in (callers.stranger, Caller("dead"), Caller("", {"Authorization": "Basic eDp5"})):
        refused(ask(by), 401)
        refused(check(by, str(uuid4()), "123456"), 401)
        refused(by.post("/otp", b"{"), 401)
    assert spool.messages() == []


def test_internal_services_name_the_organisation_and_nobody_else_does(
    callers: Callers, service: Caller, spool: Spool
) -> None:
    internal = callers.client("internal")
    acme, globex = (str(callers.cast.organization(name).pk) for name in ("acme", "globex"))
    refused(ask(internal), 400, "organizationId")
    refused(ask(internal, organizationId="nowhere"), 404)
    id_ = start(internal, organizationId=acme)
    body = {"to": TO, "code": spool.code(), "verificationId": id_}
    refused(internal.post("/otp/verify", body), 400, "organizationId")
    refused(internal.post("/otp/verify", {**body, "organizationId": globex}), 404)
    empty(internal.post("/otp/verify", {**body, "organizationId": acme}), 204)
    empty(service.post("/otp/verify", body), 204)
    refused(ask(service, organizationId=acme), 403)
    refused(service.post("/otp/verify", {**body, "organizationId": acme}), 403)


# --- strangers -------------------------------------------------------------------------------------------------------
def test_an_open_application_stands_in_for_a_token(application: Application, spool: Spool) -> None:
    stranger = Caller("", {"X-ApplicationId": application.pk})
    id_ = start(stranger)
    empty(check(stranger, id_, spool.code()), 204)
    assert [message["organization"] for message in spool.messages()] == ["acme"]
    event = AuditEvent.objects.get(subject=id_, event="otp.requested")
    assert event.actor == f"application {application.pk}"


def test_an_open_application_opens_nothing_else(application: Application, callers: Callers) -> None:
    stranger = Caller("", {"X-ApplicationId": application.pk})
    for method, path in (
        ("GET", "/applications"), ("GET", f"/applications/{application.pk}"), ("GET", "/clients"), ("POST", "/ticket"), ("GET", "/ticket/x"),
        ("POST", "/keys"), ("GET", "/users/1"),
    ):  # fmt: skip
        refused(stranger.call(method, path), 401)
    refused(stranger.post("/otp", {"to": TO, "organizationId": str(application.organization_id)}), 403)


def test_an_application_that_is_closed_over_or_nobodys_is_like_no_token(
    application: Application, callers: Callers, spool: Spool
) -> None:
    stranger = Caller("", {"X-ApplicationId": application.pk})
    for unknown in (
        "nothing",
        "",
        "x" * 300,
        "å",
        callers.cast.said["applications"]["nice"],
    ):
        refused(ask(Caller("", {"X-ApplicationId": unknown})), 401)
    id_, code = start(stranger), spool.code()
    Application.objects.filter(pk=application.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    refused(ask(stranger), 401)
    Application.objects.filter(pk=application.pk).update(expires_at=None)
    application.organization.suspended_at = clock.now()
    application.organization.save()
    refused(check(stranger, id_, code), 401)
    application.organization.suspended_at = None
    application.organization.save()
    applications.set_flags(by=at_the_console(), application=application, allows_anonymous_registration=False)
    refused(check(stranger, id_, code), 401)
    refused(ask(stranger), 401)


def test_beside_a_bearer_an_application_says_nothing(application: Application, callers: Callers, spool: Spool) -> None:
    beside = {"X-ApplicationId": application.pk}
    refused(ask(Caller("dead", beside)), 401)
    refused(ask(Caller("", {"Authorization": "Basic eDp5", **beside})), 401)
    refused(ask(Caller(customer(callers).token, beside)), 403)
    start(Caller(callers.client("globex_admin").token, {"X-ApplicationId": "nothing"}))
    start(Caller(callers.client("globex_admin").token, beside), OTHER)
    assert [message["organization"] for message in spool.messages()] == ["globex", "globex"]


# --- asked again -----------------------------------------------------------------------------------------------------
def keyed(by: Caller, key: str) -> Caller:
    return Caller(by.token, {"Idempotency-Key": key})


def test_a_request_repeated_under_its_key_gets_the_same_answer_and_sends_once(
    service: Caller, spool: Spool, settings: Any
) -> None:
    settings.OTP_RESEND_SECONDS = 20
    by = keyed(service, "k-1")
    answers = [ask(by) for _ in range(7)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert len(spool.messages()) == 1
    refused(ask(by, OTHER), 400, "Idempotency-Key")
    refused(ask(by, channel="VOICE"), 400, "Idempotency-Key")
    assert len(spool.messages()) == 1


def test_a_key_is_its_callers_own_and_is_forgotten_after_a_day(callers: Callers, service: Caller, spool: Spool) -> None:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        one = start(keyed(service, "k"))
        other = start(keyed(callers.person("bob"), "k"), OTHER)
        assert start(keyed(service, "k")) == one != other
        assert len(spool.messages()) == 2
        traveller.shift(86_399)
        assert start(keyed(callers.client("acme_service"), "k")) == one
        traveller.shift(1)
        assert start(keyed(callers.client("acme_service"), "k")) != one
        assert len(spool.messages()) == 3


def test_a_refused_request_leaves_its_key_free(service: Caller) -> None:
    refused(ask(keyed(service, "k"), locale="xx"), 400, "locale")
    start(keyed(service, "k"))


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "å", "a\tb", "a\x7fb"], ids=["empty", "long", "letter", "tab", "delete"]
)
def test_a_key_that_is_none_is_refused_by_name(service: Caller, spool: Spool, key: str) -> None:
    refused(ask(keyed(service, key)), 400, "Idempotency-Key")
    assert spool.messages() == []


def test_the_longest_key_is_one(service: Caller) -> None:
    assert start(keyed(service, "~ " * 127 + "x")) == start(keyed(service, "~ " * 127 + "x"))


# --- many at once ----------------------------------------------------------------------------------------------------
def test_many_requests_at_once_under_one_key_send_one_message(service: Caller, spool: Spool, at_once: AtOnce) -> None:
    by = keyed(service, "k")
    answers = at_once(64, lambda _: ask(by))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert len(spool.messages()) == 1


def test_of_many_wrong_codes_at_once_five_are_looked_at(service: Caller, spool: Spool, at_once: AtOnce) -> None:
    id_, code = start(service), spool.code()
    answers = at_once(64, lambda number: check(service, id_, wrong(code, number + 1)))
    assert Counter(answer.status_code for answer in answers) == {400: 5, 404: 59}
    refused(check(service, id_, code), 404)


def test_many_right_codes_at_once_approve_once(service: Caller, spool: Spool, at_once: AtOnce) -> None:
    id_, code = start(service), spool.code()
    said = Counter(answer.status_code for answer in at_once(64, lambda _: check(service, id_, code)))
    # No more than five are looked at together; whoever waits behind them for too long gets the 404 of an exhausted id.
    assert said[204] >= 5
    assert set(said) <= {204, 404}
    assert AuditEvent.objects.filter(subject=id_, event="otp.approved").count() == 1
    empty(check(service, id_, code), 204)


def test_of_many_requests_at_once_one_recipient_gets_five(service: Caller, spool: Spool, at_once: AtOnce) -> None:
    answers = at_once(16, lambda _: ask(service))
    assert Counter(answer.status_code for answer in answers) == {200: 5, 429: 11}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert len(spool.messages()) == 5


# --- what is left behind ---------------------------------------------------------------------------------------------
def test_no_code_is_logged_or_put_on_record(callers: Callers, service: Caller, spool: Spool, caplog: Any) -> None:
    id_, code = start(service), spool.code()
    check(service, id_, wrong(code))
    check(service, id_, code)
    left = caplog.text + "".join(str(vars(row)) for row in [*AuditEvent.objects.all(), *ClientUse.objects.all()])
    assert id_ in left
    assert not re.search(rf"(?<!\d){code}(?!\d)", left.replace(id_, ""))
    assert TO not in left


def test_a_clients_calls_are_remembered_and_a_strangers_are_nobodys(
    callers: Callers, service: Caller, application: Application
) -> None:
    id_ = start(service)
    check(service, id_, "x")
    start(Caller("", {"X-ApplicationId": application.pk}), OTHER)
    uses = ClientUse.objects.order_by("pk").values_list("client_id", "endpoint", "status")
    mine = callers.id_of("acme_service")
    assert list(uses)[-2:] == [(mine, "POST /security/otp", 200), (mine, "POST /security/otp/verify", 400)]


def test_the_page_of_operations_says_who_may(client: Any, db: None) -> None:
    paths = client.get("/schema/auvious/", headers={"Accept": "application/json"}).json()["paths"]
    either, bearer = [{"Bearer": []}, {"X-ApplicationId": []}], [{"Bearer": []}]
    assert paths["/security/otp"]["post"]["security"] == either
    assert paths["/security/otp/verify"]["post"]["security"] == either
    assert paths["/security/ticket"]["post"]["security"] == bearer
    assert set(paths["/security/otp"]["post"]["responses"]) == {"200", "400", "401", "403", "404", "429"}
    assert set(paths["/security/otp/verify"]["post"]["responses"]) == {"204", "400", "401", "403", "404", "429"}


@pytest.mark.parametrize("path", ["/otp", "/otp/verify"])
def test_codes_are_posted(callers: Callers, path: str) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = callers.stranger.call(method, path)
        refused(answer, 405)
        assert answer.headers["Allow"] == "POST"


def test_codes_cost_few_queries(service: Caller, spool: Spool, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(24):
        id_ = start(service)
    code = spool.code()
    with django_assert_max_num_queries(18):
        check(service, id_, code)
