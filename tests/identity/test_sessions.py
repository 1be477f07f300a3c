"""Sessions: one kind of row behind every credential; ended means ended at the next request (operating.md 6.1)."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest

from identity import clients, clock, crypto, organizations, personal_tokens, sessions, tokens, users
from identity.errors import CredentialExpired, CredentialInvalid, CredentialRevoked, Invalid, NotFound
from identity.models import AuditEvent, Client, Organization, Session, SigningKey, User
from identity.principal import Kind, Role, Via

VIA = Via(door="test", address="127.0.0.1")


def token_of(opened, *, audience="here", lifetime=timedelta(hours=1), **claims):
    at = clock.now()
    return tokens.issue(
        session=opened.session, audience=audience, subject="2", expires_at=at + lifetime, at=at, **claims
    ).text


def by_secret(opened, door="test"):
    return sessions.by_secret(opened.secret, doors=(door,), via=VIA)


def by_token(text, audience="here"):
    return sessions.by_token(text, audience=audience, via=VIA)[0]


def test_the_secret_is_told_once_and_kept_as_a_digest(cast):
    opened = cast.session("bob")

    assert opened.secret not in repr(opened)
    assert Session.objects.get(pk=opened.session.pk).digest == crypto.digest(opened.secret, purpose="session")


def test_a_secret_proves_its_person_in_two_queries(cast, django_assert_num_queries):
    opened = cast.session("bob")

    with django_assert_num_queries(2):
        principal = by_secret(opened)

    assert (principal.kind, principal.name, principal.organization_name) == (Kind.PERSON, "bob", "acme")
    assert principal.roles == {Role.AGENT}


def test_a_token_proves_its_person_in_two_queries(cast, django_assert_num_queries):
    text = token_of(cast.session("bob"))
    by_token(text)

    with django_assert_num_queries(2):
        assert by_token(text).name == "bob"


def test_a_secret_opens_its_own_door_only(cast):
    with pytest.raises(CredentialInvalid):
        by_secret(cast.session("bob"), door="another")


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "a" * 5000])
def test_nonsense_opens_nothing(cast, secret):
    with pytest.raises(CredentialInvalid):
        sessions.by_secret(secret, doors=("test",), via=VIA)


ENDS = {
    "closed": lambda cast, s: sessions.close(s.pk, reason="logout"),
    "all closed": lambda cast, s: sessions.close_all(user=cast.user("bob"), reason="logout"),
    "disabled": lambda cast, s: users.disable(by=cast.console, user=cast.user("bob")),
    "locked": lambda cast, s: users.lock(by=cast.console, user=cast.user("bob")),
    "expired": lambda cast, s: users.set_expiry(by=cast.console, user=cast.user("bob"), expires_at=clock.now()),
    "left": lambda cast, s: organizations.leave(
        by=cast.console, user=cast.user("bob"), organization=cast.organization("acme")
    ),
    "new password": lambda cast, s: users.set_password(by=cast.console, user=cast.user("bob"), clear="en ny lösenfras"),
    "suspended": lambda cast, s: organizations.suspend(by=cast.console, organization=cast.organization("acme")),
}


@pytest.mark.parametrize("end", list(ENDS.values()), ids=list(ENDS))
def test_what_ends_a_session_ends_its_secret_and_its_tokens(cast, console, end):
    cast.console = console
    opened = cast.session("bob")
    text = token_of(opened)

    end(cast, opened.session)

    for prove in (lambda: by_secret(opened), lambda: by_token(text)):
        with pytest.raises(CredentialRevoked):
            prove()


REVIVALS = {
    "enabled": (users.disable, users.enable),
    "unlocked": (users.lock, users.unlock),
    "unexpired": (
        lambda by, user: users.set_expiry(by=by, user=user, expires_at=clock.now()),
        lambda by, user: users.set_expiry(by=by, user=user, expires_at=None),
    ),
}


@pytest.mark.parametrize(("end", "revive"), list(REVIVALS.values()), ids=list(REVIVALS))
def test_no_ended_session_comes_back_with_its_person_but_a_personal_token_may(cast, console, end, revive):
    opened, personal = cast.session("bob"), cast.said["ping_tokens"]["bob"]
    end(by=console, user=cast.user("bob"))
    with pytest.raises(CredentialRevoked):
        by_token(personal, audience="ping:acme.example")

    revive(by=console, user=cast.user("bob"))

    with pytest.raises(CredentialRevoked):
        by_secret(opened)
    assert by_token(personal, audience="ping:acme.example").name == "bob"


def test_an_account_that_ran_out_by_itself_and_is_prolonged_revives_no_session(cast, console):
    opened = cast.session("bob")
    User.objects.filter(username="bob").update(expires_at=clock.now() - timedelta(seconds=1))

    users.set_expiry(by=console, user=cast.user("bob"), expires_at=clock.now() + timedelta(days=1))

    with pytest.raises(CredentialRevoked):
        by_secret(opened)


def test_an_idle_session_dies_and_a_used_one_lives(cast):
    idle, used = (cast.session("bob", idle=timedelta(minutes=30)) for _ in range(2))
    Session.objects.update(last_seen_at=clock.now() - timedelta(minutes=29))
    sessions.touch(by_secret(used).session, at=clock.now())
    Session.objects.filter(pk=idle.session.pk).update(last_seen_at=clock.now() - timedelta(minutes=31))

    assert by_secret(used).name == "bob"
    with pytest.raises(CredentialExpired):
        by_secret(idle)


def test_a_fresh_session_is_not_written_at_every_use(cast, django_assert_num_queries):
    session = by_secret(cast.session("bob")).session

    with django_assert_num_queries(0):
        sessions.touch(session, at=clock.now())
    with django_assert_num_queries(2):
        sessions.touch(session, at=clock.now() + timedelta(seconds=61))


@pytest.mark.parametrize(("idle", "stale"), [(60, 6), (600, 60), (6000, 60), (None, 60)])
def test_last_seen_is_stale_after_a_tenth_of_the_idle_time_and_a_minute_at_most(cast, idle, stale):
    session = cast.session("bob", idle=idle and timedelta(seconds=idle)).session

    assert not session.needs_touch(at=session.last_seen_at + timedelta(seconds=stale))
    assert session.needs_touch(at=session.last_seen_at + timedelta(seconds=stale + 0.5))


def test_a_session_ends_at_its_absolute_end_however_much_it_is_used(cast):
    opened = cast.session("bob", lifetime=timedelta(0))

    with pytest.raises(CredentialExpired):
        by_secret(opened)


def test_all_but_one_may_be_ended_and_personal_tokens_only_if_said(cast):
    keep, other = cast.session("bob"), cast.session("bob")

    assert sessions.close_all(user=cast.user("bob"), reason="logout", but=keep.session.pk) == 1

    assert by_secret(keep).name == "bob"
    with pytest.raises(CredentialRevoked):
        by_secret(other)
    assert personal_tokens.of_user(cast.user("bob")).count() == 1
    assert sessions.close_all(user=cast.user("bob"), reason="reset", with_personal_tokens=True) == 2
    assert sessions.close_all(user=cast.user("bob"), reason="again") == 0


def test_a_session_is_ended_once_and_on_record(cast):
    opened = cast.session("bob")

    assert [sessions.close(opened.session.pk, reason="logout", via=VIA) for _ in range(2)] == [True, False]

    assert AuditEvent.objects.get(event="session.ended").details["session"] == str(opened.session.pk)


def test_live_sessions_are_listed_per_organisation_and_person(cast):
    bob, erin = cast.session("bob"), cast.session("erin")
    sessions.close(cast.session("bob").session.pk, reason="logout")

    def listed(**where):
        return set(sessions.live(**where).filter(is_personal_token=False).values_list("pk", flat=True))

    assert listed(user=cast.user("bob")) == {bob.session.pk}
    assert listed(organization=cast.organization("globex")) == {erin.session.pk}
    assert listed() == {bob.session.pk, erin.session.pk}


def test_a_session_of_another_organisation_is_not_found(cast):
    bob = cast.session("bob").session

    with pytest.raises(NotFound):
        sessions.find(bob.pk, organization_id=cast.organization("globex").pk)


def test_a_client_stands_behind_its_session(cast):
    said = cast.said["clients"]["acme_service"]
    client = clients.authenticate(client_id=said["client_id"], secret=said["client_secret"], via=VIA)

    principal = by_secret(clients.open_session(client=client, via=VIA))

    assert (principal.kind, principal.client_id, principal.roles) == (Kind.CLIENT, client.pk, {Role.SERVICE})
    Client.objects.update(deleted_at=clock.now())
    with pytest.raises(CredentialRevoked):
        by_secret(clients.open_session(client=client, via=VIA))


def test_an_internal_client_belongs_to_no_organisation(cast):
    said = cast.said["clients"]["internal"]
    client = clients.authenticate(client_id=said["client_id"], secret=said["client_secret"], via=VIA)

    principal = by_secret(clients.open_session(client=client, via=VIA))

    assert (principal.is_internal, principal.organization_id, principal.organization_name) == (True, None, "")


def test_a_customer_stands_behind_a_session_without_a_person(cast):
    opened = sessions.open_(
        via=VIA, lifetime=timedelta(hours=1), holder="kund-7", organization=cast.organization("acme")
    )

    principal = by_secret(opened)

    assert (principal.kind, principal.name, principal.organization_name, principal.user_id) == (
        Kind.CUSTOMER,
        "kund-7",
        "acme",
        None,
    )
    Organization.objects.update(suspended_at=clock.now())
    with pytest.raises(CredentialRevoked):
        by_secret(opened)


def test_a_clone_is_independent_but_keeps_the_end(cast):
    original = cast.session("bob", idle=timedelta(minutes=30))

    clone = sessions.clone(by=by_secret(original), via=VIA)

    assert clone.session.expires_at == Session.objects.get(pk=original.session.pk).expires_at
    assert (clone.session.idle_seconds, clone.session.cloned_from_id) == (1800, original.session.pk)
    sessions.close(original.session.pk, reason="logout")
    assert by_secret(clone).name == "bob"


def test_a_clone_works_in_the_organisation_that_its_original_worked_in(cast, console):
    acme, globex = cast.organization("acme"), cast.organization("globex")
    organizations.join(by=console, user=cast.user("bob"), organization=globex, roles=[Role.AGENT])
    original = cast.session("bob")
    Session.objects.filter(pk=original.session.pk).update(effective_organization=globex)

    clone = sessions.clone(by=by_secret(original), via=VIA)

    assert by_secret(clone).organization_name == "globex"
    assert Session.objects.get(pk=clone.session.pk).organization == acme


def test_sessions_that_are_long_over_are_purged(cast):
    old, young = cast.session("bob"), cast.session("bob")
    Session.objects.filter(pk=old.session.pk).update(expires_at=clock.now() - timedelta(days=31))

    assert sessions.purge(before=clock.now() - timedelta(days=30)) == 1

    assert set(Session.objects.filter(is_personal_token=False).values_list("pk", flat=True)) == {young.session.pk}


# --- tokens ----------------------------------------------------------------------------------------------------------
def test_a_token_is_refused_for_another_audience(cast):
    with pytest.raises(CredentialInvalid):
        by_token(token_of(cast.session("bob")), audience="elsewhere")


def test_an_expired_token_says_so(cast):
    with pytest.raises(CredentialExpired):
        by_token(token_of(cast.session("bob"), lifetime=timedelta(seconds=-30)))


@pytest.mark.parametrize(
    "break_it", [lambda t: t[:-4] + "AAAA", lambda t: t.split(".")[0], lambda t: "", lambda t: t + ".x", lambda t: "å"]
)
def test_a_broken_token_is_invalid(cast, break_it):
    with pytest.raises(CredentialInvalid):
        by_token(break_it(token_of(cast.session("bob"))))


@pytest.mark.parametrize(
    "kid",
    ["\0", "a\0b", "\ud800", "", "x" * 100_000, 7, None, ["a"]],
    ids=["NUL", "NUL within", "half a character", "empty", "endless", "a number", "null", "a list"],
)
def test_a_token_whose_key_nobody_can_have_is_invalid(cast, django_assert_num_queries, kid):
    header = base64.urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": kid}).encode()).decode().rstrip("=")

    with django_assert_num_queries(0), pytest.raises(CredentialInvalid):
        by_token(f"{header}.e30.AA")


def test_a_token_of_another_portal_is_invalid(cast, settings):
    text = token_of(cast.session("bob"))
    settings.PUBLIC_URL = "https://another.example"

    with pytest.raises(CredentialInvalid):
        by_token(text)


@pytest.mark.parametrize(
    "claim", [{"sid": "no uuid"}, {"sid": 7}, {"sub": 7}, {"exp": "2099999999"}, {"exp": 2099999999.5}, {"exp": None}]
)
def test_a_token_with_a_claim_of_the_wrong_type_is_invalid(cast, claim):
    at = clock.now()
    issued = tokens.issue(
        session=cast.session("bob").session, audience="here", subject="2", expires_at=at + timedelta(hours=1), at=at
    )
    backend = tokens._current()

    with pytest.raises(CredentialInvalid):
        by_token(backend.encode(issued.claims | claim))


def test_the_old_key_verifies_and_the_new_one_signs_after_a_rotation(cast, console):
    opened = cast.session("bob")
    old = token_of(opened)
    published = {key["kid"] for key in tokens.jwks()["keys"]}

    kid = tokens.rotate(by=console)

    new = token_of(opened)
    assert kid in published, "a key is published before it signs"
    assert kid == SigningKey.objects.get(state="current").kid
    assert [by_token(t).name for t in (old, new)] == ["bob", "bob"]
    assert len(tokens.jwks()["keys"]) == 3


def test_what_a_dropped_key_signed_is_refused_at_once(cast, console):
    text = token_of(cast.session("bob"))
    assert by_token(text).name == "bob"

    tokens.drop(by=console, kid=SigningKey.objects.get(state="current").kid)

    with pytest.raises((CredentialRevoked, CredentialInvalid)):
        by_token(text)
    assert by_token(token_of(cast.session("bob"))).name == "bob"


def test_a_key_that_retired_long_ago_is_not_published(cast, console):
    tokens.rotate(by=console)
    SigningKey.objects.filter(state="retired").update(verifies_until=clock.now())

    assert len(tokens.jwks()["keys"]) == 2


def test_a_token_does_not_show_itself(cast):
    at = clock.now()
    issued = tokens.issue(session=cast.session("bob").session, audience="x", subject="2", expires_at=at, at=at)

    assert issued.text not in repr(issued)


# --- personal tokens -------------------------------------------------------------------------------------------------
def test_a_personal_token_survives_a_password_change(cast, console):
    users.set_password(by=console, user=cast.user("bob"), clear="en ny lösenfras")

    assert by_token(cast.said["ping_tokens"]["bob"], audience="ping:acme.example").name == "bob"


WRONG = [
    ({"domain": "not a domain"}, "domain"),
    ({"label": " "}, "label"),
    ({"lifetime": timedelta(days=366)}, "lifetime"),
]


@pytest.mark.parametrize(("change", "field"), WRONG, ids=[w[1] for w in WRONG])
def test_a_personal_token_needs_a_domain_a_label_and_an_end(cast, change, field):
    with pytest.raises(Invalid) as refusal:
        personal_tokens.create(
            by=cast.principal("bob"), user=cast.user("bob"), **{"domain": "acme.example", "label": "x"} | change
        )

    assert set(refusal.value.fields) == {field}


def test_nobody_makes_a_personal_token_of_another(cast):
    with pytest.raises(NotFound):
        personal_tokens.create(by=cast.principal("alice"), user=cast.user("bob"), domain="acme.example", label="x")


def test_a_personal_token_is_revoked_by_its_owner_or_an_admin_of_the_organisation(cast):
    row = personal_tokens.of_user(cast.user("bob")).get()
    with pytest.raises(NotFound):
        personal_tokens.revoke(by=cast.principal("frank"), session=row)

    assert personal_tokens.revoke(by=cast.principal("alice"), session=row) is True
    assert personal_tokens.revoke(by=cast.principal("bob"), session=row) is False
    with pytest.raises(CredentialRevoked):
        by_token(cast.said["ping_tokens"]["bob"], audience="ping:acme.example")
