"""The pages of codes: what became of each without the code, paused ranges of numbers, figures, gateways, own texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db.models import F

from identity import audit, clock, crypto, organizations, otp, otp_figures, otp_history, otp_plans, outbox
from identity.errors import Invalid, TooManyAttempts
from identity.models import AuditEvent, Organization, OtpVerification, OutboxMessage, PrefixPause
from identity.otp_figures import Day, Health, Use, Verdict
from identity.outbox import DeliveryFailed, DeliveryUnknown
from identity.principal import at_the_console
from tests.cast import Cast
from tests.identity.gates import Gate

pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of

LIST, MESSAGES, PAUSES = (f"/admin/identity/{name}/" for name in ("otpverification", "outboxmessage", "prefixpause"))
FIGURES = "/admin/codes/"
MAIA, NILS, GREEK = "+46701740601", "+46701740602", "+306912345678"
State = OutboxMessage.State


@pytest.fixture(autouse=True)
def gate(settings: Any) -> Iterator[type[Gate]]:
    Gate.open()
    settings.GATEWAYS = dict.fromkeys(("EMAIL", "SMS", "VOICE"), "tests.identity.gates.Gate")
    yield Gate
    Gate.open()


def ask(cast: Cast, to: str = MAIA, *, by: str = "bob", **more: Any) -> OtpVerification:
    """Ask for a code as somebody of the cast."""
    organization = cast.membership(by).organization
    pk = otp.request(by=cast.principal(by), organization=organization, to=to, **more)
    return OtpVerification.objects.select_related("organization").get(pk=pk)


def code_of(verification: OtpVerification) -> str:
    return crypto.open_sealed(verification.code_sealed, place=verification.place())


def wrong(code: str) -> str:
    return "000000" if code != "000000" else "111111"


def enter(cast: Cast, verification: OtpVerification, code: str, *, by: str = "bob") -> None:
    otp.check(
        by=cast.principal(by), organization=verification.organization, to=verification.recipient, code=code, verification_id=str(verification.pk)
    )  # fmt: skip


def message_of(verification: OtpVerification) -> OutboxMessage:
    return OutboxMessage.objects.filter(subject_key=str(verification.pk)).latest("created_at")


def put(organization: Organization, **more: Any) -> OutboxMessage:
    """Keep a message as it may stand in the outbox."""
    at = clock.now()
    usual: dict[str, Any] = {
        "organization": organization, "channel": "SMS", "to": MAIA, "country": "SE", "template": "otp", "locale": "sv", "created_at": at,
        "next_at": at, "useful_until": at + timedelta(minutes=10), "state": State.SENT,
    }  # fmt: skip
    return OutboxMessage.objects.create(**(usual | more))


def shown(answer: Any) -> list[str]:
    return [row.recipient for row in answer.context["cl"].result_list]


def page_of(verification: OtpVerification) -> str:
    return f"{LIST}{verification.pk}/change/"


def timeline_of(answer: Any) -> list[tuple[str, str]]:
    return [(str(step["words"]), step["channel"]) for step in answer.context["steps"]]


def texts_page(organization: Organization, locale: str = "sv") -> str:
    return f"/admin/identity/organization/{organization.pk}/texts/?locale={locale}"


# --- what became of a code ----------------------------------------------------------------------------------------------


def test_the_page_of_a_code_tells_what_happened_in_order_and_never_the_code(cast: Cast, admin_of: Admin) -> None:
    organizations.change(by=at_the_console(), organization=cast.organization("acme"), message_fallbacks=["VOICE 60"])
    made = ask(cast)
    code = code_of(made)
    Gate.answers = [DeliveryFailed("answered 500"), None]
    outbox.drain()
    with time_machine.travel(clock.now() + timedelta(seconds=61)):
        outbox.drain()
        with pytest.raises(Invalid):
            enter(cast, made, wrong(code))
        assert otp_plans.follow() == 1
        outbox.drain()
        enter(cast, made, code)

    answer = admin_of("alice").get(page_of(made))

    assert timeline_of(answer) == [
        ("Code asked for", "text message"), ("Message accepted", "text message"), ("Taken by the gateway", "text message"),
        ("Wrong code entered", ""), ("Sent on by the fallback plan", "phone call"), ("Message accepted", "phone call"),
        ("Taken by the gateway", "phone call"), ("Right code entered", ""),
    ]  # fmt: skip
    assert "2 attempts" in answer.text
    made.refresh_from_db()
    for secret in (code, ", ".join(code), made.code_digest):
        assert secret not in answer.text


def test_the_gateways_report_and_the_next_step_of_the_plan_stand_in_the_timeline(cast: Cast, admin_of: Admin) -> None:
    organizations.change(by=at_the_console(), organization=cast.organization("acme"), message_fallbacks=["VOICE 60"])
    made = ask(cast)
    outbox.drain()
    at = clock.now()
    OutboxMessage.objects.filter(subject_key=str(made.pk)).update(
        state=State.FAILED, reported_at=at, provider_id="SM77", provider_status="undelivered 30005"
    )

    answer = admin_of("alice").get(page_of(made))

    assert [words for words, _channel in timeline_of(answer)][-3:] == [
        "Taken by the gateway",
        "Not delivered",
        "The fallback plan goes on",
    ]
    assert "undelivered 30005" in answer.text
    assert "SM77" in answer.text


def test_a_message_that_was_given_up_and_sent_again_says_so(cast: Cast, admin_of: Admin) -> None:
    alice, made = admin_of("alice"), ask(cast)
    Gate.answers = [DeliveryFailed("21211", permanent=True)]
    outbox.drain()
    message = message_of(made)

    assert alice.get(page_of(made)).text.count("<span>21211</span>") == 1
    assert "Send again" in alice.get(f"{MESSAGES}{message.pk}/change/").text
    assert alice.post(f"{MESSAGES}{message.pk}/do/repeat/").status_code == 302

    assert [words for words, _channel in timeline_of(alice.get(page_of(made)))] == [
        "Code asked for", "Message accepted", "Given up", "Sent again by hand",
    ]  # fmt: skip
    assert outbox.drain() == 1


def test_a_code_whose_time_is_over_is_not_sent_again(cast: Cast, admin_of: Admin) -> None:
    made = ask(cast)
    Gate.answers = [DeliveryFailed("21211", permanent=True)]
    outbox.drain()
    path = f"{MESSAGES}{message_of(made).pk}"

    with time_machine.travel(clock.now() + timedelta(minutes=11)):
        alice = admin_of("alice")
        assert "Send again" not in alice.get(f"{path}/change/").text
        said = alice.post(f"{path}/do/repeat/", follow=True)
        assert "It is no longer of use, or what it says is gone." in said.text
    assert message_of(made).state == State.DEAD


def test_the_page_of_a_message_leads_to_its_code_and_back(cast: Cast, admin_of: Admin) -> None:
    alice, made, other = admin_of("alice"), ask(cast), ask(cast, NILS)
    message = message_of(made)

    assert f'href="{page_of(made)}"' in alice.get(f"{MESSAGES}{message.pk}/change/").text
    back = alice.get(f"{MESSAGES}?about={made.pk}")
    assert [row.pk for row in back.context["cl"].result_list] == [message.pk]
    assert f"?about={made.pk}" in alice.get(page_of(made)).text
    assert message_of(other).pk != message.pk


def test_every_state_is_found_by_its_filter_and_shown_as_a_badge(cast: Cast, admin_of: Admin, settings: Any) -> None:
    settings.OTP_MAX_CHECKS = 2
    with time_machine.travel(clock.now() - timedelta(minutes=11)):
        ask(cast, "+46701740610")
    approved, consumed, exhausted = (ask(cast, f"+4670174061{number}") for number in (1, 2, 3))
    for made in (approved, consumed):
        enter(cast, made, code_of(made))
    otp.consume(consumed, via=cast.principal("bob").via)
    for _ in range(2):
        with pytest.raises(Invalid):
            enter(cast, exhausted, wrong(code_of(exhausted)))
    ask(cast, "+46701740614")
    alice = admin_of("alice")

    assert {state.value: shown(alice.get(f"{LIST}?state={state.value}")) for state in otp_history.State} == {
        "expired": ["+46701740610"], "approved": ["+46701740611"], "consumed": ["+46701740612"], "exhausted": ["+46701740613"],
        "pending": ["+46701740614"],
    }  # fmt: skip
    assert len(shown(alice.get(LIST))) == 5
    badges = re.findall(r'field-standing"><span class="sb-badge[^"]*">(\w+)<', alice.get(LIST).text)
    assert sorted(badges) == ["approved", "consumed", "exhausted", "expired", "pending"]


def test_codes_are_found_by_the_beginning_of_a_recipient_by_recipient_country_and_channel(
    cast: Cast, admin_of: Admin
) -> None:
    alice = admin_of("alice")
    ask(cast, MAIA)
    ask(cast, GREEK, channel="SMS")
    mail = ask(cast, "Maia@Example.com")

    assert shown(alice.get(f"{LIST}?q=%2B46701")) == [MAIA]
    assert shown(alice.get(f"{LIST}?q=MAIA%40")) == ["Maia@Example.com"]
    assert shown(alice.get(f"{LIST}?country=GR")) == [GREEK]
    assert shown(alice.get(f"{LIST}?channel__exact=EMAIL")) == ["Maia@Example.com"]
    link = re.search(r'href="([^"]*\?recipient=[^"]*)"', alice.get(page_of(mail)).text)
    assert link is not None
    assert shown(alice.get(link.group(1))) == ["Maia@Example.com"]
    for name in ("recipient", "country", "channel__exact", "channel", "state", "q"):
        assert alice.get(f"{LIST}?{name}=%00").status_code == 200


def test_the_list_of_codes_is_read_with_few_queries(
    cast: Cast, admin_of: Admin, django_assert_num_queries: Any
) -> None:
    alice = admin_of("alice")
    ask(cast)
    alice.get(LIST)
    with django_assert_num_queries(5):
        alice.get(LIST)
    for number in range(5):
        ask(cast, f"+4670174062{number}")
    with django_assert_num_queries(5):
        alice.get(LIST)


# --- paused ranges of numbers -----------------------------------------------------------------------------------------------


def test_a_paused_range_gets_codes_again_once_somebody_presses_resume(cast: Cast, admin_of: Admin) -> None:
    acme, alice = cast.organization("acme"), admin_of("alice")
    pause = PrefixPause.objects.create(organization=acme, prefix="+46701", country="SE", numbers=212)
    with pytest.raises(TooManyAttempts):
        ask(cast)
    assert "paused" in alice.get(PAUSES).text

    answer = alice.post(f"{PAUSES}{pause.pk}/do/resume/", {"back": "list"}, follow=True)

    assert "Codes go to +46701… again." in answer.text
    assert f"/{pause.pk}/do/resume/" not in answer.text
    pause.refresh_from_db()
    assert pause.resumed_by == "alice"
    assert ask(cast).recipient == MAIA


def test_pauses_are_found_by_whether_they_hold(cast: Cast, admin_of: Admin) -> None:
    acme, alice = cast.organization("acme"), admin_of("alice")
    rows = {
        "paused": PrefixPause.objects.create(organization=acme, prefix="+46701", numbers=1),
        "reported": PrefixPause.objects.create(organization=acme, prefix="+46702", numbers=1, is_only_reported=True),
        "resumed": PrefixPause.objects.create(organization=acme, prefix="+46703", numbers=1, resumed_at=clock.now()),
    }

    for state, row in rows.items():
        assert list(alice.get(f"{PAUSES}?state={state}").context["cl"].result_list) == [row], state


# --- figures ----------------------------------------------------------------------------------------------------------------


def test_figures_count_codes_messages_and_money_of_the_own_organization(cast: Cast) -> None:
    acme, since = cast.organization("acme"), clock.now() - timedelta(days=7)
    prices = {"SE": {"SMS": "0.05", "VOICE": "0.10"}}
    organizations.change(by=at_the_console(), organization=acme, message_prices=prices)
    first = ask(cast, MAIA)
    ask(cast, NILS)
    ask(cast, "+46701740603", channel="VOICE")
    ask(cast, "maia@example.com")
    enter(cast, first, code_of(first))
    organizations.change(by=at_the_console(), organization=cast.organization("globex"), otp_countries=["SE"])
    ask(cast, by="erin")

    assert otp_figures.uses(organization_id=acme.pk, since=since) == [
        Use("SE", "SMS", requested=2, approved=1, messages=2, spent=Decimal("0.1")),
        Use("SE", "VOICE", requested=1, messages=1, spent=Decimal("0.1")),
        Use("", "EMAIL", requested=1, messages=1),
    ]
    assert otp_figures.uses(organization_id=None, since=since)[0].requested == 3
    assert otp_figures.uses(organization_id=acme.pk, since=clock.now() + timedelta(seconds=1)) == []


@pytest.mark.parametrize(
    ("requested", "approved", "percent"), [(0, 0, None), (3, 2, 67), (7, 7, 100)], ids=["none", "some", "all"]
)
def test_conversion_is_how_many_of_a_hundred_were_entered(requested: int, approved: int, percent: int | None) -> None:
    assert Use("SE", "SMS", requested=requested, approved=approved).conversion == percent


def test_days_are_told_without_a_gap(cast: Cast) -> None:
    acme, at = cast.organization("acme"), datetime.fromisoformat("2026-11-22T05:00:00Z")
    for hours, price in ((0, "0.05"), (4, "0.05"), (6, "0.1"), (24 * 30, "9")):
        put(acme, created_at=at - timedelta(hours=hours), price=Decimal(price))
    put(acme, created_at=at, template="login_as")

    told = otp_figures.days(organization_id=acme.pk, at=at)

    assert len(told) == 30
    assert told[0] == Day(day=(at - timedelta(days=29)).date())
    assert told[-2:] == [
        Day(day=(at - timedelta(days=1)).date(), messages=1, spent=Decimal("0.1")),
        Day(day=at.date(), messages=2, spent=Decimal("0.1")),
    ]


def test_the_page_of_figures_draws_days_against_the_budgets_and_says_the_same_as_a_table(
    cast: Cast, admin_of: Admin
) -> None:
    acme = cast.organization("acme")
    organizations.change(
        by=at_the_console(), organization=acme, message_budget_per_day=4, money_budget_per_day=Decimal("0.50"), message_prices={"SE": {"SMS": "0.05"}}
    )  # fmt: skip
    ask(cast)
    ask(cast, NILS)

    answer = admin_of("alice").get(FIGURES)

    messages, spend = answer.context["charts"]
    today = clock.now().date()
    assert (len(messages.bars), messages.bars[-1].height, messages.limit_y, messages.limit) == (
        30,
        "50.00",
        "0.00",
        "4",
    )
    assert messages.rows[-1] == (today, "2")
    assert messages.bars[-1].words == f"{today}: 2"
    # Five times as high as any day: it would flatten the bars, so it is said in words only.
    assert (spend.limit_y, spend.limit, spend.bars[-1].height, spend.rows[-1][1]) == ("", "0.50", "100.00", "0.10")
    for said in (f"2 in 30 days; most on {today}: 2. Budget: 4 a day.", "Budget: 0.50 a day.", "<td>Text message</td>"):
        assert said in answer.text
    assert [(use.country, use.requested) for use, _channel in answer.context["uses"]] == [("SE", 2)]
    assert answer.context["prices"] == [("SE", "text message", "0.05")]


def test_numbers_are_written_as_the_language_of_the_page_does(cast: Cast, admin_of: Admin) -> None:
    acme, alice = cast.organization("acme"), admin_of("alice")
    put(acme, price=Decimal("1234.5"))

    assert "1,234.50 in 30 days" in alice.get(FIGURES).text
    assert "1\N{NO-BREAK SPACE}234,50" in alice.get(FIGURES, headers={"Accept-Language": "sv"}).text


def test_ranges_that_nobody_looked_at_are_told_with_the_figures(cast: Cast, admin_of: Admin) -> None:
    acme, alice = cast.organization("acme"), admin_of("alice")
    assert "never enter" not in alice.get(FIGURES).text
    PrefixPause.objects.create(organization=acme, prefix="+46701", numbers=1)
    PrefixPause.objects.create(organization=acme, prefix="+46702", numbers=1, is_only_reported=True)
    PrefixPause.objects.create(organization=acme, prefix="+46703", numbers=1, resumed_at=clock.now())
    PrefixPause.objects.create(organization=cast.organization("globex"), prefix="+46701", numbers=1)

    assert "2 ranges of numbers never enter their codes; look at them." in alice.get(FIGURES).text


def test_the_figures_are_read_with_a_handful_of_queries(
    cast: Cast, admin_of: Admin, django_assert_num_queries: Any
) -> None:
    alice, acme = admin_of("alice"), cast.organization("acme")
    alice.get(FIGURES)
    with django_assert_num_queries(9):
        alice.get(FIGURES)
    for number in range(6):
        ask(cast, f"+4670174062{number}", channel=("SMS", "VOICE")[number % 2])
        put(acme, channel="EMAIL", sent_at=clock.now())
    with django_assert_num_queries(9):
        alice.get(FIGURES)


def test_an_operator_sees_the_figures_of_all_or_of_one(cast: Cast, admin_of: Admin) -> None:
    olle, globex = admin_of("olle"), cast.organization("globex")
    ask(cast)

    assert olle.get(FIGURES).context["sums"]["requested"] == 1
    assert olle.get(f"{FIGURES}?organization={globex.pk}").context["sums"]["requested"] == 0
    assert olle.get(f"{FIGURES}?organization=nobody").status_code == 404


def test_an_admin_cannot_ask_for_the_figures_of_another_organization(cast: Cast, admin_of: Admin) -> None:
    ask(cast, by="erin")

    answer = admin_of("alice").get(f"{FIGURES}?organization={cast.organization('globex').pk}")

    assert answer.context["organization"] == cast.organization("acme")
    assert answer.context["sums"]["requested"] == 0


@pytest.mark.parametrize(
    ("name", "status"), [("bob", 403), ("carol", 403), ("alice", 200), ("olle", 200)], ids=["bob", "carol", "alice", "olle"]
)  # fmt: skip
def test_figures_are_for_whom_messages_are(cast: Cast, admin_of: Admin, name: str, status: int) -> None:
    client = admin_of(name)

    assert client.get(FIGURES).status_code == status
    assert (f'href="{FIGURES}"' in client.get("/admin/").text) is (status == 200)


@pytest.mark.parametrize(("asked", "requested"), [("day", 1), ("week", 2), ("month", 3)])
def test_the_time_is_chosen_among_three(cast: Cast, admin_of: Admin, asked: str, requested: int) -> None:
    for days in (20, 3, 0):
        with time_machine.travel(clock.now() - timedelta(days=days)):
            ask(cast)

    answer = admin_of("alice").get(f"{FIGURES}?range={asked}")

    assert answer.context["sums"]["requested"] == requested


def test_another_time_is_not_found(cast: Cast, admin_of: Admin) -> None:
    assert admin_of("alice").get(f"{FIGURES}?range=year").status_code == 404


# --- gateways ---------------------------------------------------------------------------------------------------------------


def test_health_tells_each_channel_from_the_outbox_alone(cast: Cast) -> None:
    acme, at = cast.organization("acme"), clock.now()
    for seconds in range(1, 21):
        put(
            acme,
            created_at=at - timedelta(hours=1),
            sent_at=at - timedelta(hours=1) + timedelta(seconds=seconds),
            attempts=1 + seconds % 2,
        )
    put(acme, state=State.DELIVERED, created_at=at - timedelta(days=3), sent_at=at - timedelta(days=3, seconds=-900))
    put(acme, state=State.FAILED, created_at=at - timedelta(hours=2))
    put(acme, state=State.DEAD, last_error="no longer useful")
    put(acme, state=State.UNKNOWN, created_at=at - timedelta(days=9))
    put(acme, state=State.PENDING, created_at=at - timedelta(seconds=30))
    put(acme, state=State.SENDING, created_at=at - timedelta(seconds=20))
    put(acme, channel="VOICE", sent_at=at)
    put(cast.organization("globex"), state=State.DEAD)

    mail, sms, voice = otp_figures.health(organization_id=acme.pk, at=at)

    assert mail == Health("EMAIL")
    assert sms == Health(
        "SMS", waiting=2, oldest_at=at - timedelta(seconds=30), unknown=1, sent=20, failed=1, given_up=1, retries=10,
        last_sent_at=at - timedelta(hours=1) + timedelta(seconds=20), median=timedelta(seconds=10), nearly_all=timedelta(seconds=19),
    )  # fmt: skip
    assert (voice.sent, voice.median, voice.nearly_all) == (1, voice.nearly_all, voice.median)


def test_a_message_that_was_not_needed_any_more_is_no_failure(cast: Cast) -> None:
    made = ask(cast)
    enter(cast, made, code_of(made))
    assert message_of(made).state == State.DEAD

    _mail, sms, _voice = otp_figures.health(organization_id=made.organization_id, at=clock.now())

    assert (sms.given_up, sms.verdict(at=clock.now())) == (0, Verdict.QUIET)


AT = datetime.fromisoformat("2026-11-22T05:00:00Z")


@pytest.mark.parametrize(
    ("health", "verdict"),
    [
        (Health("SMS"), Verdict.QUIET),
        (Health("SMS", sent=1, nearly_all=timedelta(seconds=60)), Verdict.GOOD),
        (Health("SMS", sent=1, waiting=1, oldest_at=AT - timedelta(seconds=60)), Verdict.GOOD),
        (Health("SMS", sent=1, nearly_all=timedelta(seconds=61)), Verdict.SLOW),
        (Health("SMS", sent=1, unknown=1), Verdict.DOUBTFUL),
        (Health("SMS", sent=28, failed=1, given_up=2), Verdict.GOOD),
        (Health("SMS", sent=27, failed=1, given_up=2), Verdict.FAILING),
        (Health("SMS", failed=2), Verdict.QUIET),
        (Health("SMS", failed=9, waiting=1, oldest_at=AT - timedelta(seconds=61)), Verdict.STUCK),
    ],
    ids=["quiet", "good", "waits shortly", "slow", "doubtful", "few failures", "failing", "two failures", "stuck"],
)
def test_the_verdict_is_the_worst_that_can_be_said(health: Health, verdict: Verdict) -> None:
    assert health.verdict(at=AT) is verdict


def test_the_verdict_stands_on_the_page_as_a_sentence(cast: Cast, admin_of: Admin) -> None:
    ask(cast)
    Gate.answers = [DeliveryUnknown("connection broke")]
    outbox.drain()

    text = admin_of("alice").get(FIGURES).text

    assert "Nobody knows yet whether 1 message left; the gateway is being asked." in text
    assert "Nothing was sent in 24 hours." in text
    OutboxMessage.objects.update(state=State.PENDING, created_at=F("created_at") - timedelta(minutes=5))
    assert (
        "has been waiting for 5 min: does the worker run, and does the gateway answer?"
        in admin_of("alice").get(FIGURES).text
    )


# --- own texts --------------------------------------------------------------------------------------------------------------


def test_own_texts_are_previewed_first_and_said_once_saved(cast: Cast, admin_of: Admin) -> None:
    acme, alice = cast.organization("acme"), admin_of("alice")
    wanted = {"SMS": "{name}: kod {code}", "VOICE": "", "SUBJECT": "", "EMAIL": ""}

    preview = alice.post(texts_page(acme), {**wanted, "preview": "1"})
    acme.refresh_from_db()
    assert "Acme: kod 123456" in preview.text
    assert "Sent as 1 text message." in preview.text
    assert acme.message_templates == {}

    saved = alice.post(texts_page(acme), {**wanted, "save": "1"}, follow=True)
    acme.refresh_from_db()
    assert "The texts are saved; the next message says them." in saved.text
    assert acme.message_templates == {"otp": {"sv": {"SMS": "{name}: kod {code}"}}}
    assert AuditEvent.objects.filter(event="organization.changed").latest("id").details == {"settings": ["message_templates"]}  # fmt: skip
    code = code_of(ask(cast))
    outbox.drain()
    assert Gate.sent[-1].body == f"Acme: kod {code}"


def test_an_emptied_text_is_ours_again_and_other_languages_stay(cast: Cast, admin_of: Admin) -> None:
    acme, alice = cast.organization("acme"), admin_of("alice")
    own = {"otp": {"sv": {"SMS": "Kod {code}"}, "de": {"VOICE": "Code {code}"}}}
    organizations.change(by=at_the_console(), organization=acme, message_templates=own)

    alice.post(texts_page(acme), {"SMS": "", "save": "1"})

    acme.refresh_from_db()
    assert acme.message_templates == {"otp": {"de": {"VOICE": "Code {code}"}}}
    alice.post(texts_page(acme, "de"), {"save": "1"})
    acme.refresh_from_db()
    assert acme.message_templates == {}


def test_saving_what_is_there_already_writes_nothing(cast: Cast, admin_of: Admin) -> None:
    acme = cast.organization("acme")
    before = AuditEvent.objects.count()

    answer = admin_of("alice").post(texts_page(acme), {"save": "1"})

    assert answer.status_code == 302
    assert AuditEvent.objects.count() == before


def test_what_cannot_be_sent_is_said_at_its_own_text(cast: Cast, admin_of: Admin) -> None:
    acme = cast.organization("acme")

    answer = admin_of("alice").post(
        texts_page(acme),
        {"SMS": "Hej", "VOICE": "{code} i {minutes}", "SUBJECT": "{0}", "EMAIL": "{code}", "save": "1"},
    )

    acme.refresh_from_db()
    assert dict(answer.context["form"].errors) == {
        "SMS": ["the text must hold {code}."], "VOICE": ["{minutes} cannot be spoken."],
        "SUBJECT": ["only {code}, {name} and {minutes} stand in braces."],
    }  # fmt: skip
    assert acme.message_templates == {}


def test_the_preview_says_what_a_long_text_costs_and_reads_from_the_right(cast: Cast, admin_of: Admin) -> None:
    acme, alice = cast.organization("acme"), admin_of("alice")

    long = alice.post(texts_page(acme), {"SMS": "{code} " + "å" * 160})
    assert "Sent and paid for as 2 text messages." in long.text
    assert 'lang="he" dir="rtl"' in alice.get(texts_page(acme, "he")).text


def test_languages_are_offered_by_their_own_names(cast: Cast, admin_of: Admin) -> None:
    offered = admin_of("alice").get(texts_page(cast.organization("acme"))).text

    for name in ("British English (en-GB)", "Svenska (sv)", "Bahasa Indonesia (id)", "中文（香港） (zh-HK)"):
        assert name in offered


def test_own_texts_are_for_the_admins_of_the_organization(cast: Cast, admin_of: Admin) -> None:
    acme, globex = cast.organization("acme"), cast.organization("globex")

    assert admin_of("carol").get(texts_page(acme)).status_code == 404
    assert admin_of("alice").get(texts_page(globex)).status_code == 404
    assert admin_of("alice").get(texts_page(acme, "xx")).status_code == 404
    assert admin_of("alice").put(texts_page(acme)).status_code == 405
    assert admin_of("olle").get(texts_page(globex)).status_code == 200


def test_texts_that_cannot_be_sent_are_refused_whoever_hands_them_in(cast: Cast) -> None:
    acme = cast.organization("acme")

    for texts in ([], {"otp": {"sv": {"SMS": "Hej"}}}, {"welcome": {}}):
        with pytest.raises(Invalid) as refused:
            organizations.change(by=at_the_console(), organization=acme, message_templates=texts)
        assert set(refused.value.fields) == {"message_templates"}


def test_the_timeline_of_a_code_that_somebody_guesses_at_ends_with_the_last_guess(
    cast: Cast, admin_of: Admin, settings: Any
) -> None:
    settings.OTP_MAX_CHECKS = 2
    made = ask(cast)
    for _ in range(2):
        with pytest.raises(Invalid):
            enter(cast, made, wrong(code_of(made)))
    audit.record("otp.requested", by=at_the_console(), subject="somebody else's")

    said = [words for words, _channel in timeline_of(admin_of("alice").get(page_of(made)))]

    assert said == [
        "Code asked for",
        "Message accepted",
        "Wrong code entered",
        "Wrong code entered, the last one allowed",
    ]
