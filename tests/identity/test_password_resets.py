"""Password resets: one live token, single use, nobody learns who exists (clarifications 16, 17, 50)."""

from __future__ import annotations

import json

import pytest

from identity import clock, crypto, limits, password_resets, personal_tokens, sessions, sign_in
from identity.errors import CredentialRevoked, Invalid, ResetTokenInvalid
from identity.models import AuditEvent, Organization, OutboxMessage, PasswordReset, User
from identity.principal import Via

VIA = Via(door="test", address="127.0.0.1")
NEW = "en ny lösenfras 2026"


def request(user, **more):
    return password_resets.request(via=VIA, user=user, **more)


def link_of(message):
    return json.loads(crypto.open_sealed(message.context_sealed, place=message.place()))["link"]


def token_for(user, **more):
    limits.clear(password_resets.pause_key(user))
    assert request(user, **more)
    return link_of(OutboxMessage.objects.order_by("created_at").last()).partition("?token=")[2]


def test_a_request_sends_one_link_to_the_portals_page(cast, settings):
    assert request(cast.user("bob")) is True

    (message,) = OutboxMessage.objects.all()
    assert (message.to, message.template, message.channel, message.locale) == (
        "bob@acme.example",
        "password_reset",
        "EMAIL",
        "en",
    )
    assert link_of(message).startswith(f"{settings.PUBLIC_URL}/reset/?token=swr_")
    assert AuditEvent.objects.filter(event="password.reset_requested", subject="bob").count() == 1


def test_the_token_is_kept_as_a_digest_only(cast):
    token = token_for(cast.user("bob"))

    assert PasswordReset.objects.get().digest == crypto.digest(token, purpose="password-reset")


def test_a_second_request_within_five_minutes_sends_nothing_and_keeps_the_first_alive(cast):
    token = token_for(cast.user("bob"))

    assert request(cast.user("bob")) is False
    assert password_resets.is_usable(token)


def test_a_later_request_supersedes_the_earlier_one(cast):
    first = token_for(cast.user("bob"))
    second = token_for(cast.user("bob"))

    assert [password_resets.is_usable(t) for t in (first, second)] == [False, True]
    with pytest.raises(ResetTokenInvalid):
        password_resets.confirm(token=first, clear=NEW, via=VIA)


NOBODY = {
    "unknown": lambda cast: None,
    "disabled": lambda cast: cast.user("dave"),
    "without an organisation": lambda cast: User.objects.create_superuser("root", "root@example.com", NEW),
}


@pytest.mark.parametrize("who", list(NOBODY.values()), ids=list(NOBODY))
def test_who_may_not_sign_in_gets_nothing_and_nobody_learns_it(cast, who):
    assert request(who(cast)) is False
    assert not OutboxMessage.objects.exists()


def test_people_of_a_suspended_organisation_get_nothing(cast):
    Organization.objects.update(suspended_at=clock.now())

    assert request(cast.user("bob")) is False


PAGES = [
    ("https://portal.acme.example/reset", True),
    ("https://portal.acme.example", True),
    ("http://127.0.0.1:8000/reset/", True),
    ("https://portal.acme.example.evil.example/reset", False),
    ("https://portal.acme.example@evil.example/reset", False),
    ("https://evil.example/https://portal.acme.example", False),
    ("http://portal.acme.example/reset", False),
    ("https://portal.acme.example/reset?next=x", False),
    ("https://portal.acme.example/reset#x", False),
    ("https://portal.acme.example/a/../../x", False),
    ("https://portal.acme.example\\@evil.example", False),
    ("https://portal.acme.example:99999/reset", False),
    ("https://portal.acme.example/\r\nBcc: x", False),
    ("javascript:alert(1)", False),
    ("", True),
]


@pytest.mark.parametrize(("page", "is_allowed"), PAGES)
def test_only_pages_on_the_organisations_list_are_linked(cast, page, is_allowed):
    if is_allowed:
        assert request(cast.user("bob"), page=page) is True
    else:
        with pytest.raises(Invalid):
            request(cast.user("bob"), page=page)
        assert not OutboxMessage.objects.exists()


def test_for_an_unknown_person_any_organisations_page_gets_the_same_answer(cast):
    assert request(None, page="https://portal.acme.example/reset") is False
    with pytest.raises(Invalid):
        request(None, page="https://evil.example/")


def test_templates_are_a_closed_set(cast):
    assert request(cast.user("bob"), template="welcome") is True
    with pytest.raises(Invalid):
        request(cast.user("ivan"), template="{{ 7*7 }}")


def test_a_token_sets_the_password_once_and_ends_every_session_personal_tokens_too(cast):
    opened, token = cast.session("bob"), token_for(cast.user("bob"))
    personal = cast.said["ping_tokens"]["bob"]

    password_resets.confirm(token=token, clear=NEW, via=VIA)

    assert sign_in.prove(name="bob", clear=NEW, via=VIA).user.username == "bob"
    with pytest.raises(CredentialRevoked):
        sessions.by_secret(opened.secret, doors=("test",), via=VIA)
    with pytest.raises(CredentialRevoked):
        sessions.by_token(personal, audience=personal_tokens.audience("acme.example"), via=VIA)
    with pytest.raises(ResetTokenInvalid):
        password_resets.confirm(token=token, clear=NEW, via=VIA)


def test_a_digest_will_do_where_the_door_speaks_digests(cast):
    password_resets.confirm(
        token=token_for(cast.user("bob")), password_sha256=crypto.password_digest(NEW), username="BOB", via=VIA
    )

    assert sign_in.prove(name="bob", clear=NEW, via=VIA).user.username == "bob"


REFUSED = {
    "too short": {"clear": "kort-orm-42"},
    "common": {"clear": "password1234"},
    "like the name": {"clear": "bob@acme.example"},
    "untypable": {"clear": "en ny \0 lösenfras"},
    "a common digest": {"password_sha256": crypto.password_digest("password1234")},
    "no digest": {"password_sha256": "ABC"},
}


@pytest.mark.parametrize("refused", list(REFUSED.values()), ids=list(REFUSED))
def test_a_refused_password_keeps_the_token_alive(cast, refused):
    token = token_for(cast.user("bob"))

    with pytest.raises(Invalid) as refusal:
        password_resets.confirm(token=token, via=VIA, **refused)

    assert set(refusal.value.fields) == {"password"}
    assert password_resets.is_usable(token)


def test_somebody_elses_name_keeps_the_token_alive(cast):
    token = token_for(cast.user("bob"))

    with pytest.raises(ResetTokenInvalid):
        password_resets.confirm(token=token, clear=NEW, username="ivan", via=VIA)

    assert password_resets.is_usable(token)


def test_an_expired_unknown_or_disabled_persons_token_does_nothing(cast):
    token = token_for(cast.user("bob"))
    PasswordReset.objects.update(expires_at=clock.now())
    other = token_for(cast.user("ivan"))
    User.objects.filter(username="ivan").update(is_active=False)

    for dead in (token, other, "swr_unknown", ""):
        assert not password_resets.is_usable(dead)
        with pytest.raises(ResetTokenInvalid):
            password_resets.confirm(token=dead, clear=NEW, via=VIA)


@pytest.mark.django_db(transaction=True)
def test_sixty_four_uses_of_one_token_at_once_succeed_once(cast, at_once):
    token = token_for(cast.user("bob"))

    def use(n):
        try:
            password_resets.confirm(token=token, clear=f"{NEW} nummer {n}", via=VIA)
        except ResetTokenInvalid:
            return False
        return True

    answers = at_once(64, use)

    assert answers.count(True) == 1
    assert sign_in.prove(name="bob", clear=f"{NEW} nummer {answers.index(True)}", via=VIA).user.username == "bob"


@pytest.mark.django_db(transaction=True)
def test_requests_at_once_leave_one_live_token_and_one_message(cast, at_once):
    bob = cast.user("bob")

    answers = at_once(16, lambda _n: request(bob))

    assert answers.count(True) == 1
    assert OutboxMessage.objects.count() == 1
    assert PasswordReset.objects.filter(used_at=None, superseded_at=None).count() == 1
