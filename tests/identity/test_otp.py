"""Codes: who gets one, what checking one costs, how a plan goes on, what is never kept (clarifications 36, security.md M4, P1, P3)."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core import serializers

from identity import clock, crypto, organizations, otp, otp_guard, otp_plans, outbox, recipients, tasks
from identity.errors import (
    CredentialRevoked,
    DomainError,
    Invalid,
    NotAllowed,
    NotFound,
    TooManyAttempts,
    WrongCredentials,
)
from identity.models import Application, AuditEvent, OtpVerification, OutboxMessage, PrefixPause
from identity.outbox import DeliveryFailed
from identity.principal import Principal, Via
from tests.cast import Cast
from tests.identity.gates import Gate

VIA = Via(door="test", address="127.0.0.1")
TO, OTHER = "+46701740605", "+46701740606"
State = OutboxMessage.State


@pytest.fixture(autouse=True)
def gate(settings: Any) -> Iterator[type[Gate]]:
    Gate.open()
    settings.GATEWAYS = dict.fromkeys(("EMAIL", "SMS", "VOICE"), "tests.identity.gates.Gate")
    settings.OTP_RESEND_SECONDS = 0
    settings.THROTTLE_OTP_PER_ADDRESS = (100_000, 60)
    yield Gate
    Gate.open()


@pytest.fixture
def by(cast: Cast) -> Principal:
    return cast.principal("bob")


def ask(cast: Cast, by: Principal, to: str = TO, **more: Any) -> str:
    return otp.request(by=by, organization=cast.organization("acme"), to=to, **more)


def check(cast: Cast, by: Principal, id_: str, code: str, *, to: str = TO, organization: str = "acme") -> None:
    otp.check(by=by, organization=cast.organization(organization), to=to, code=code, verification_id=id_)


def row(id_: str) -> OtpVerification:
    return OtpVerification.objects.get(pk=id_)


def code_of(id_: str) -> str:
    verification = row(id_)
    return crypto.open_sealed(verification.code_sealed, place=verification.place())


def wrong(code: str, step: int = 1) -> str:
    return f"{(int(code) + step) % 10**6:06d}"


def messages(id_: str) -> list[tuple[str, str, str]]:
    found = OutboxMessage.objects.filter(subject_key=id_).order_by("created_at")
    return [(message.channel, message.to, message.state) for message in found]


def events(id_: str) -> list[str]:
    return list(AuditEvent.objects.filter(subject=id_).order_by("id").values_list("event", flat=True))


def verdict(deed: Callable[[], None]) -> str:
    try:
        deed()
    except DomainError as e:
        return type(e).__name__
    return "ok"


# --- the recipient --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("to", "country", "prefix"),
    [("+46701740605", "SE", "+46701"), ("+306900000000", "GR", "+30690"), ("+12025550123", "US", "+1202"), ("+447400123456", "GB", "+44740")],
)  # fmt: skip
def test_a_number_is_read_with_its_country_and_range(to: str, country: str, prefix: str) -> None:
    assert recipients.parse(to) == recipients.Recipient(address=to, key=to, country=country, prefix=prefix)


@pytest.mark.parametrize(
    "to", ["", "0701740605", "46701740605", "+4670174", "+46 70 174 06 05", "+٤٦٧٠١٧٤٠٦٠٥", "+999123456789", "+46701740605\n", "a@", "a@b", "@b.example", f"{'a' * 250}@b.example"],
)  # fmt: skip
def test_what_is_no_number_and_no_mailbox_is_refused_by_name(to: str) -> None:
    with pytest.raises(Invalid) as refusal:
        recipients.check(recipients.parse(to), channel="SMS", countries=["SE"])
    assert list(refusal.value.fields) == ["to"]


@pytest.mark.parametrize("to", ["+460701740605", "+112025550123", "+4407400123456", "+306900000000 "])
def test_one_telephone_has_one_spelling(to: str) -> None:
    with pytest.raises(Invalid) as refusal:
        recipients.parse(to)
    assert list(refusal.value.fields) == ["to"]


@pytest.mark.parametrize(
    "to", ['"bob"@acme.example', '"\\bob"@acme.example', "bob@[127.0.0.1]", "bob@[IPv6:::1]", "ſam@acme.example", "\u212aim@acme.example", "bob@straße.example", "bob@ａcme.example"],
    ids=["quoted", "escaped", "ipv4", "ipv6", "long-s", "kelvin", "sharp-s", "full-width"],
)  # fmt: skip
def test_one_mailbox_has_one_spelling_but_for_case_and_no_other_mailbox_has_it(to: str) -> None:
    with pytest.raises(Invalid) as refusal:
        recipients.parse(to)
    assert list(refusal.value.fields) == ["to"]


@pytest.mark.parametrize(
    ("to", "channel"),
    [
        ("+33612345678", "SMS"), ("+46771793336", "SMS"), ("+469001234567", "VOICE"), ("+18005550123", "SMS"), ("+19005550123", "VOICE"),
        ("+97900000000", "SMS"), ("+881612345678", "SMS"), ("+4681234567", "SMS"), ("bob@acme.example", "SMS"), ("+46701740605", "EMAIL"),
    ],
    ids=["country", "shared-cost", "premium", "toll-free", "premium-us", "premium-world", "satellite", "landline-sms", "mail-by-sms", "number-by-mail"],
)  # fmt: skip
def test_a_number_that_earns_or_costs_and_a_channel_that_does_not_fit_are_refused_before_anything_is_stored(
    cast: Cast, by: Principal, to: str, channel: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        ask(cast, by, to, channel=channel)
    assert list(refusal.value.fields) == ["to"]
    assert not OtpVerification.objects.exists()
    assert not OutboxMessage.objects.filter(template="otp").exists()


def test_a_call_reaches_a_landline(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by, "+4681234567", channel="VOICE")
    assert messages(id_) == [("VOICE", "+4681234567", State.PENDING)]


# --- asking ---------------------------------------------------------------------------------------------------------
def test_a_code_goes_out_urgent_priced_and_sealed(cast: Cast, by: Principal, gate: type[Gate]) -> None:
    acme = cast.organization("acme")
    acme.message_prices = {"SE": {"SMS": "0.0500"}}
    acme.save()
    id_ = ask(cast, by, name="Åsas Bank")
    (message,) = OutboxMessage.objects.filter(subject_key=id_)
    assert (message.is_urgent, message.country, message.price, message.locale) == (True, "SE", Decimal("0.0500"), "sv")
    code = code_of(id_)
    assert outbox.deliver(message_id=str(message.pk)) == State.SENT
    (letter,) = gate.sent
    assert code in letter.body
    assert "Åsas Bank" in letter.body
    assert (letter.to, letter.template) == (TO, "otp")
    message.refresh_from_db()
    assert message.context_sealed == ""
    assert events(id_) == ["otp.requested"]


def test_the_code_of_an_id_is_nowhere_in_the_tables_but_sealed(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by)
    code = code_of(id_)
    check(cast, by, id_, code)
    for model in (OtpVerification, OutboxMessage, AuditEvent):
        assert code not in serializers.serialize("json", model.objects.all()).replace(TO, "").replace(id_, "")
    assert row(id_).code_sealed == ""


def test_a_second_request_sends_the_same_code_under_the_same_id_by_any_channel(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by)
    code = code_of(id_)
    assert ask(cast, by, channel="VOICE") == id_
    assert code_of(id_) == code
    assert messages(id_) == [("SMS", TO, State.PENDING), ("VOICE", TO, State.PENDING)]
    assert row(id_).sends == 2


def test_a_code_that_goes_out_again_says_how_long_it_still_lives(cast: Cast, by: Principal) -> None:
    at = clock.now()
    for later, minutes in ((0, 10), (270, 5), (599, 1)):
        with time_machine.travel(at + timedelta(seconds=later), tick=False):
            id_ = ask(cast, by, locale="en")
            message = OutboxMessage.objects.filter(subject_key=id_).latest("created_at")
            said = json.loads(crypto.open_sealed(message.context_sealed, place=message.place()))["text"]
        assert said.endswith(f" is your code for Acme. It is valid for {minutes} minute{'s' if minutes > 1 else ''}.")


def test_an_entered_code_is_not_sent_again(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by)
    check(cast, by, id_, code_of(id_))
    assert messages(id_) == [("SMS", TO, State.DEAD)], "what still waited to go out is withdrawn"
    assert ask(cast, by) != id_


def test_a_code_whose_encryption_key_is_gone_gives_way_to_a_new_one(cast: Cast, by: Principal) -> None:
    plan(cast, "VOICE 60")
    lost = ask(cast, by)
    OtpVerification.objects.filter(pk=lost).update(code_sealed=crypto.seal("123456", place="elsewhere"))
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert otp_plans.follow() == 0
    assert events(lost) == ["otp.requested", "otp.fallback_refused"]

    id_ = ask(cast, by)

    assert id_ != lost
    check(cast, by, id_, code_of(id_))


def test_the_limit_of_sends_counts_all_channels_and_survives_exhaustion(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by)
    code = code_of(id_)
    for step in range(1, 6):
        with pytest.raises(Invalid):
            check(cast, by, id_, wrong(code, step))
    assert len({ask(cast, by), ask(cast, by, channel="VOICE"), ask(cast, by), ask(cast, by, channel="VOICE"), id_}) == 2
    with pytest.raises(TooManyAttempts) as refusal:
        ask(cast, by)
    assert 0 < refusal.value.retry_after_seconds <= 600
    assert ask(cast, by, OTHER)


def test_between_two_sends_is_a_pause(cast: Cast, by: Principal, settings: Any) -> None:
    settings.OTP_RESEND_SECONDS = 20
    at = clock.now()
    with time_machine.travel(at, tick=False):
        ask(cast, by)
        with pytest.raises(TooManyAttempts) as refusal:
            ask(cast, by)
        assert refusal.value.retry_after_seconds == 20
    with time_machine.travel(at + timedelta(seconds=20), tick=False):
        ask(cast, by)


@pytest.mark.parametrize(
    "setting", ["OTP_PER_ORGANISATION", "OTP_PER_CLIENT", "OTP_PER_PREFIX", "THROTTLE_OTP_PER_ADDRESS"]
)
def test_every_limit_holds_and_a_refusal_counts_nowhere_else(
    cast: Cast, by: Principal, settings: Any, setting: str
) -> None:
    setattr(settings, setting, (2, 3600))
    for last in "56":
        ask(cast, by, f"+4670174060{last}")
    with pytest.raises(TooManyAttempts):
        ask(cast, by, "+46701740607")
    setattr(settings, setting, (100, 3600))
    settings.OTP_MAX_SENDS = 1
    ask(cast, by, "+46701740607")


def test_a_recipient_gets_so_many_a_day(cast: Cast, by: Principal, settings: Any) -> None:
    settings.OTP_PER_RECIPIENT, settings.OTP_MAX_SENDS = (2, 86400), 100
    ask(cast, by), ask(cast, by)
    with pytest.raises(TooManyAttempts):
        ask(cast, by)


def test_whom_somebody_guesses_at_gets_no_new_code(cast: Cast, by: Principal, settings: Any) -> None:
    settings.OTP_FAILURES_PER_RECIPIENT = (2, 86400)
    id_ = ask(cast, by)
    for step in (1, 2):
        with pytest.raises(Invalid):
            check(cast, by, id_, wrong(code_of(id_), step))
    with pytest.raises(TooManyAttempts):
        ask(cast, by)
    check(cast, by, id_, code_of(id_))


def test_the_days_budget_in_messages_and_in_money_holds(cast: Cast, by: Principal) -> None:
    acme = cast.organization("acme")
    acme.message_prices = {"SE": {"SMS": "0.40", "VOICE": "0.70"}}
    acme.money_budget_per_day, acme.message_budget_per_day = Decimal("1.00"), None
    acme.save()
    ask(cast, by)
    with pytest.raises(TooManyAttempts):
        ask(cast, by, channel="VOICE")
    ask(cast, by)
    acme.money_budget_per_day, acme.message_budget_per_day = None, 1
    acme.save()
    ask(cast, by)
    with pytest.raises(TooManyAttempts) as refusal:
        ask(cast, by)
    assert refusal.value.retry_after_seconds <= 86400


def test_one_organisations_limits_are_not_anothers(cast: Cast, by: Principal, settings: Any) -> None:
    settings.OTP_PER_ORGANISATION = (1, 3600)
    ask(cast, by)
    erin = cast.principal("erin")
    assert otp.request(by=erin, organization=cast.organization("globex"), to=TO)


def test_who_may_not_send_codes_is_refused(cast: Cast, by: Principal) -> None:
    nobody = dataclasses.replace(by, permissions=frozenset())
    with pytest.raises(NotAllowed):
        ask(cast, nobody)
    with pytest.raises(NotAllowed):
        check(cast, nobody, "1", "1")


def test_a_stranger_comes_through_an_application_and_may_nothing_else(cast: Cast) -> None:
    application = Application.objects.select_related("organization").get(
        organization__name="acme", type="STANDALONE_OPENID"
    )
    stranger = otp.stranger(application, via=VIA)
    id_ = ask(cast, stranger)
    check(cast, stranger, id_, code_of(id_))
    assert stranger.permissions == {"codes"}
    assert row(id_).asked_by == application.pk


# --- once under one key ---------------------------------------------------------------------------------------------
def test_a_repeated_request_gets_the_first_answer_and_another_one_under_its_key_is_refused(
    cast: Cast, by: Principal
) -> None:
    first = ask(cast, by, key="k-1")
    assert ask(cast, by, key="k-1") == first
    assert len(messages(first)) == 1
    with pytest.raises(Invalid) as refusal:
        ask(cast, by, OTHER, key="k-1")
    assert list(refusal.value.fields) == ["key"]
    assert ask(cast, cast.principal("carol"), OTHER, key="k-1") != first, "a key is its caller's own"
    with time_machine.travel(clock.now() + timedelta(hours=24, seconds=1)):
        assert ask(cast, by, key="k-1") != first


@pytest.mark.parametrize(
    ("field", "more"), [("key", {"key": "k" * 256}), ("channel", {"channel": "PIGEON"})], ids=["key", "channel"]
)
def test_a_key_that_is_too_long_and_an_unknown_channel_are_refused_by_name(
    cast: Cast, by: Principal, field: str, more: dict[str, Any]
) -> None:
    with pytest.raises(Invalid) as refusal:
        ask(cast, by, **more)
    assert list(refusal.value.fields) == [field]
    assert not OtpVerification.objects.exists()


def test_a_refused_request_leaves_its_key_free(cast: Cast, by: Principal, settings: Any) -> None:
    settings.OTP_PER_CLIENT = (0, 60)
    with pytest.raises(TooManyAttempts):
        ask(cast, by, key="k-2")
    settings.OTP_PER_CLIENT = (9, 60)
    assert ask(cast, by, key="k-2")


def test_of_64_requests_with_one_key_one_sends(cast: Cast, by: Principal, at_once: Any) -> None:
    ids = at_once(64, lambda _n: ask(cast, by, key="one"))
    assert len(set(ids)) == 1
    assert len(messages(ids[0])) == 1


def test_of_64_requests_for_one_number_so_many_send_as_the_limit_says_and_all_the_same_code(
    cast: Cast, by: Principal, at_once: Any
) -> None:
    ids: list[str] = []
    said = Counter(at_once(64, lambda _n: verdict(lambda: ids.append(ask(cast, by)))))
    assert said == {"ok": 5, "TooManyAttempts": 59}
    assert len(set(ids)) == 1
    assert len(messages(ids[0])) == 5
    assert row(ids[0]).sends == 5


# --- checking -------------------------------------------------------------------------------------------------------
def test_a_right_code_approves_and_may_be_repeated_until_it_is_consumed(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by)
    code = code_of(id_)
    for _ in range(7):
        check(cast, by, id_, code)
    assert events(id_) == ["otp.requested", "otp.approved"]
    assert (row(id_).attempts, row(id_).failures) == (0, 0)
    held = otp.hold(organization=cast.organization("acme"), verification_id=id_, code=code, via=VIA)
    otp.consume(held, via=VIA)
    with pytest.raises(NotFound):
        check(cast, by, id_, code)
    assert events(id_) == ["otp.requested", "otp.approved", "otp.consumed"]


def test_a_wrong_code_and_a_wrong_recipient_count_alike_and_the_fifth_ends_it(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by)
    code = code_of(id_)
    tries = [(wrong(code), TO), (code, OTHER), (code, "nobody"), ("", TO), ("١٢٣٤٥٦", TO)]
    for said, to in tries:
        with pytest.raises(Invalid) as refusal:
            check(cast, by, id_, said, to=to)
        assert list(refusal.value.fields) == ["code"]
    with pytest.raises(NotFound):
        check(cast, by, id_, code)
    assert events(id_) == ["otp.requested", *["otp.failed"] * 4, "otp.exhausted"]
    assert row(id_).code_sealed == ""


def test_mailboxes_are_compared_case_blind(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by, "Bob@Acme.example")
    assert ask(cast, by, "bob@acme.EXAMPLE") == id_
    check(cast, by, id_, code_of(id_), to="BOB@acme.example")


@pytest.mark.parametrize("id_", ["1234567890", "", "00000000-0000-0000-0000-000000000000", "x" * 300])
def test_an_id_of_nothing_is_not_found(cast: Cast, by: Principal, id_: str) -> None:
    with pytest.raises(NotFound):
        check(cast, by, id_, "123456")


def test_another_organisations_id_is_not_found_and_not_counted(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by)
    with pytest.raises(NotFound):
        check(cast, cast.principal("erin"), id_, code_of(id_), organization="globex")
    assert row(id_).attempts == 0


def test_a_code_ends_with_its_time(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by)
    code = code_of(id_)
    with time_machine.travel(clock.now() + timedelta(seconds=600)):
        with pytest.raises(NotFound):
            check(cast, by, id_, code)
        assert ask(cast, by) != id_


def test_of_64_wrong_checks_at_once_five_are_evaluated(cast: Cast, by: Principal, at_once: Any) -> None:
    id_ = ask(cast, by)
    code = code_of(id_)
    said = Counter(at_once(64, lambda n: verdict(lambda: check(cast, by, id_, wrong(code, n + 1)))))
    assert said == {"Invalid": 5, "NotFound": 59}
    assert (row(id_).attempts, row(id_).failures) == (5, 5)


def test_of_64_right_checks_at_once_one_approves(cast: Cast, by: Principal, at_once: Any) -> None:
    id_ = ask(cast, by)
    code = code_of(id_)
    said = Counter(at_once(64, lambda _n: verdict(lambda: check(cast, by, id_, code))))
    assert said["Invalid"] == 0
    assert said["ok"] >= 5
    assert events(id_) == ["otp.requested", "otp.approved"]
    assert row(id_).attempts == 0


# --- holding a pair -------------------------------------------------------------------------------------------------
def test_a_pending_pair_is_approved_by_holding_it_and_belongs_to_one_caller(cast: Cast, by: Principal) -> None:
    acme = cast.organization("acme")
    id_ = ask(cast, by)
    code = code_of(id_)
    held = otp.hold(organization=acme, verification_id=id_, code=code, via=VIA)
    assert held.recipient == TO
    assert row(id_).approved_at is not None
    with pytest.raises(CredentialRevoked):
        otp.hold(organization=acme, verification_id=id_, code=code, via=VIA)
    otp.release(held)
    again = otp.hold(organization=acme, verification_id=id_, code=code, via=VIA)
    otp.consume(again, via=VIA)
    with pytest.raises(WrongCredentials):
        otp.consume(again, via=VIA)
    with pytest.raises(WrongCredentials):
        otp.hold(organization=acme, verification_id=id_, code=code, via=VIA)


def test_a_wrong_pair_is_no_credential(cast: Cast, by: Principal) -> None:
    acme, globex = cast.organization("acme"), cast.organization("globex")
    id_ = ask(cast, by)
    code = code_of(id_)
    for organization, verification_id, said in ((acme, id_, wrong(code)), (acme, "x", code), (globex, id_, code)):
        with pytest.raises(WrongCredentials):
            otp.hold(organization=organization, verification_id=verification_id, code=said, via=VIA)
    assert row(id_).failures == 1


def test_of_64_callers_one_holds_a_pair(cast: Cast, by: Principal, at_once: Any) -> None:
    acme = cast.organization("acme")
    id_ = ask(cast, by)
    code = code_of(id_)
    said = Counter(
        at_once(64, lambda _n: verdict(lambda: otp.hold(organization=acme, verification_id=id_, code=code, via=VIA)))
    )  # type: ignore[arg-type, return-value]  # only whether it raises counts
    assert said["ok"] == 1


# --- the plan -------------------------------------------------------------------------------------------------------
def plan(cast: Cast, *lines: str) -> None:
    acme = cast.organization("acme")
    acme.message_fallbacks = list(lines)
    acme.save()


def test_a_code_that_nobody_enters_goes_on_by_the_plan_until_it_is_entered(cast: Cast, by: Principal) -> None:
    plan(cast, "VOICE 60", "EMAIL 120")
    bob = cast.user("bob")
    bob.mobile = TO
    bob.save()
    at = clock.now()
    with time_machine.travel(at, tick=False):
        id_ = ask(cast, by)
        assert otp_plans.follow() == 0
    with time_machine.travel(at + timedelta(seconds=60), tick=False):
        assert (otp_plans.follow(), otp_plans.follow()) == (1, 0)
        assert messages(id_)[1:] == [("VOICE", TO, State.PENDING)]
    with time_machine.travel(at + timedelta(seconds=180), tick=False):
        assert otp_plans.follow() == 1
        assert messages(id_)[2:] == [("EMAIL", bob.email, State.PENDING)]
        check(cast, by, id_, code_of(id_))
    assert row(id_).fallback_at is None
    assert events(id_) == [
        "otp.requested",
        "otp.fell_back",
        "otp.fell_back",
        "otp.approved",
    ]


def test_a_plan_stops_when_the_code_was_entered(cast: Cast, by: Principal) -> None:
    plan(cast, "VOICE 60")
    id_ = ask(cast, by)
    check(cast, by, id_, code_of(id_))
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert otp_plans.follow() == 0
    assert messages(id_) == [("SMS", TO, State.DEAD)]


def test_a_suspended_organisations_plans_rest(cast: Cast, by: Principal, console: Principal) -> None:
    plan(cast, "VOICE 60")
    id_ = ask(cast, by)
    organizations.suspend(by=console, organization=cast.organization("acme"))
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert otp_plans.follow() == 0
    assert len(messages(id_)) == 1


def test_a_plan_skips_the_channel_that_was_asked_for(cast: Cast, by: Principal) -> None:
    plan(cast, "SMS", "VOICE 60")
    id_ = ask(cast, by)
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert otp_plans.follow() == 1
    assert [channel for channel, _to, _state in messages(id_)] == ["SMS", "VOICE"]


def test_a_message_that_did_not_arrive_brings_the_next_step_at_once(cast: Cast, by: Principal) -> None:
    plan(cast, "VOICE 600")
    id_ = ask(cast, by)
    otp_plans.undelivered(OutboxMessage.objects.get(subject_key=id_).pk)
    assert otp_plans.follow() == 1


def test_a_message_that_the_gateway_refuses_for_good_brings_the_next_step_at_once(
    cast: Cast, by: Principal, gate: type[Gate]
) -> None:
    plan(cast, "VOICE 600")
    id_ = ask(cast, by)
    gate.answers = [DeliveryFailed("no such number", permanent=True)]
    tasks.deliver(message_id=str(OutboxMessage.objects.get(subject_key=id_).pk))
    assert otp_plans.follow() == 1
    assert messages(id_) == [("SMS", TO, State.DEAD), ("VOICE", TO, State.PENDING)]


def test_a_step_that_a_limit_refuses_ends_the_plan_and_says_so(cast: Cast, by: Principal, settings: Any) -> None:
    plan(cast, "VOICE 60", "EMAIL 60")
    settings.OTP_MAX_SENDS = 1
    id_ = ask(cast, by)
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert otp_plans.follow() == 0
    assert len(messages(id_)) == 1
    assert events(id_) == ["otp.requested", "otp.fallback_refused"]
    assert row(id_).fallback_at is None


def test_mail_by_plan_goes_to_the_one_person_with_the_number_only(cast: Cast, by: Principal) -> None:
    plan(cast, "EMAIL 60")
    for name in ("bob", "carol"):
        person = cast.user(name)
        person.mobile = TO
        person.save()
    id_ = ask(cast, by)
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        assert otp_plans.follow() == 0
    assert len(messages(id_)) == 1
    assert events(id_)[-1] == "otp.fallback_refused"


def test_of_many_workers_one_takes_a_step(cast: Cast, by: Principal, at_once: Any) -> None:
    plan(cast, "VOICE 1")
    id_ = ask(cast, by)
    OtpVerification.objects.update(fallback_at=clock.now() - timedelta(seconds=1))
    assert sum(at_once(16, lambda _n: otp_plans.follow())) == 1
    assert len(messages(id_)) == 2


def test_a_step_of_the_plan_and_a_request_for_the_same_number_do_not_wait_for_each_other_in_a_circle(
    cast: Cast, by: Principal, at_once: Any, settings: Any
) -> None:
    settings.OTP_MAX_SENDS, settings.OTP_PER_RECIPIENT = 1000, (1000, 86400)
    plan(cast, *["VOICE 3600", "SMS 3600"] * 2)
    id_ = ask(cast, by)

    def one(n: int) -> None:
        for _turn in range(6):
            if n % 2:
                OtpVerification.objects.update(fallback_at=clock.now() - timedelta(seconds=1), fallback_step=0)
                otp_plans.follow()
            else:
                assert ask(cast, by) == id_

    at_once(8, one)
    assert row(id_).sends == len(messages(id_))


def test_a_code_that_is_entered_while_it_is_asked_for_again_is_not_sent_after_that(
    cast: Cast, by: Principal, at_once: Any
) -> None:
    plan(cast, "VOICE 60")
    for turn in range(12):
        to = f"+467017406{10 + turn:02d}"
        id_ = ask(cast, by, to)

        def enter(to: str = to, id_: str = id_, code: str = code_of(id_)) -> None:
            check(cast, by, id_, code, to=to)

        def ask_again(to: str = to) -> None:
            with suppress(TooManyAttempts):
                ask(cast, by, to)

        at_once(6, lambda n, enter=enter, ask_again=ask_again: ask_again() if n else enter())

        assert {state for _channel, _to, state in messages(id_)} == {State.DEAD}
        assert row(id_).fallback_at is None


# --- the guard ------------------------------------------------------------------------------------------------------
def pump(cast: Cast, by: Principal, count: int) -> None:
    for n in range(count):
        ask(cast, by, f"+467017406{10 + n:02d}")


def test_a_range_whose_codes_nobody_enters_is_paused_until_resumed(cast: Cast, by: Principal, settings: Any) -> None:
    settings.OTP_PREFIX_UNENTERED = (5, 86400)
    pump(cast, by, 6)
    pause = PrefixPause.objects.get()
    assert (pause.prefix, pause.country, pause.numbers, pause.is_only_reported) == ("+46701", "SE", 6, False)
    with pytest.raises(TooManyAttempts) as refusal:
        ask(cast, by, "+46701740699")
    assert refusal.value.retry_after == timedelta(hours=1)
    ask(cast, by, "+46731740699")
    with pytest.raises(NotAllowed):
        otp_guard.resume(by=by, pause=pause)
    with pytest.raises(NotFound):
        otp_guard.resume(by=cast.principal("frank"), pause=pause)
    otp_guard.resume(by=cast.principal("alice"), pause=pause)
    ask(cast, by, "+46701740699")
    said = AuditEvent.objects.filter(subject="+46701").order_by("id").values_list("event", "actor")
    assert list(said) == [("otp.prefix_paused", "switchboard"), ("otp.prefix_resumed", "alice")]


def test_one_entered_code_shows_that_people_read_them(cast: Cast, by: Principal, settings: Any) -> None:
    settings.OTP_PREFIX_UNENTERED = (5, 86400)
    pump(cast, by, 4)
    id_ = ask(cast, by)
    check(cast, by, id_, code_of(id_))
    pump(cast, by, 5)
    assert not PrefixPause.objects.exists()


def test_few_numbers_that_ask_often_pause_nothing(cast: Cast, by: Principal, settings: Any) -> None:
    settings.OTP_PREFIX_UNENTERED, settings.OTP_LIFETIME_SECONDS = (3, 86400), 1
    at = clock.now()
    for n in range(6):
        with time_machine.travel(at + timedelta(seconds=2 * n)):
            ask(cast, by)
    assert not PrefixPause.objects.exists()


@pytest.mark.parametrize("proof", ["resumed", "entered"])
def test_numbers_from_before_a_range_was_resumed_or_a_code_of_it_entered_count_no_more(
    cast: Cast, by: Principal, settings: Any, proof: str
) -> None:
    settings.OTP_PREFIX_UNENTERED = (3, 86400)
    settings.OTP_LIFETIME_SECONDS = 60
    at = clock.now()
    with time_machine.travel(at, tick=False):
        pump(cast, by, 4 if proof == "resumed" else 2)
        assert PrefixPause.objects.exists() is (proof == "resumed")
    with time_machine.travel(at + timedelta(seconds=61), tick=False):
        if proof == "resumed":
            otp_guard.resume(by=cast.principal("alice"), pause=PrefixPause.objects.get())
        else:
            id_ = ask(cast, by, OTHER)
            check(cast, by, id_, code_of(id_), to=OTHER)

    for turn in range(2, 8):
        with time_machine.travel(at + timedelta(seconds=61 * turn), tick=False):
            ask(cast, by, "+46701740699")

    assert not PrefixPause.objects.filter(resumed_at=None).exists()


def test_a_guard_that_only_reports_lets_all_codes_through(cast: Cast, by: Principal, settings: Any) -> None:
    settings.OTP_PREFIX_UNENTERED, settings.OTP_PER_PREFIX = (3, 86400), (5, 3600)
    acme = cast.organization("acme")
    acme.otp_guard_only_reports = True
    acme.save()
    pump(cast, by, 9)
    assert PrefixPause.objects.get().is_only_reported is True
    assert AuditEvent.objects.get(event="otp.reported").count >= 1


def test_a_range_that_was_only_reported_is_paused_once_the_guard_does_more(
    cast: Cast, by: Principal, settings: Any
) -> None:
    settings.OTP_PREFIX_UNENTERED = (3, 86400)
    acme = cast.organization("acme")
    acme.otp_guard_only_reports = True
    acme.save()
    pump(cast, by, 4)
    assert PrefixPause.objects.get().is_only_reported is True
    acme.otp_guard_only_reports = False
    acme.save()
    for n in range(4):
        ask(cast, by, f"+467017406{50 + n:02d}")
    assert PrefixPause.objects.get().is_only_reported is False
    with pytest.raises(TooManyAttempts):
        ask(cast, by, "+46701740699")


# --- what is left ---------------------------------------------------------------------------------------------------
def test_expired_codes_are_wiped_and_old_verifications_forgotten(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by)
    assert otp.purge() == 0
    with time_machine.travel(clock.now() + timedelta(seconds=601)):
        assert (otp.purge(), otp.purge()) == (1, 0)
    assert row(id_).code_sealed == ""
    with time_machine.travel(clock.now() + timedelta(days=91)):
        assert otp.purge() == 1
    assert not OtpVerification.objects.exists()


def test_the_context_of_a_message_holds_the_code_sealed_until_it_is_sent(cast: Cast, by: Principal) -> None:
    id_ = ask(cast, by)
    message = OutboxMessage.objects.get(subject_key=id_)
    said = json.loads(crypto.open_sealed(message.context_sealed, place=message.place()))
    assert code_of(id_) in said["text"]
