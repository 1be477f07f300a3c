"""The one way in: lockout, password, factor, state, session (clarifications 7 to 10, 49 to 53)."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django_otp.oath import totp

from identity import clock, crypto, limits, lockout, second_factor, sessions, sign_in, users
from identity.errors import CredentialRevoked, TooManyAttempts, WrongCredentials
from identity.models import AuditEvent, Organization, Session, User
from identity.principal import Via

VIA = Via(door="test", address="127.0.0.1")
ELSEWHERE = Via(door="other-door", address="192.0.2.7")


def prove(cast, name="bob", **more):
    more.setdefault("clear", cast.password("bob"))
    return sign_in.prove(name=name, via=more.pop("via", VIA), **more)


def fail(name="bob", times=1, via=VIA):
    for _ in range(times):
        with pytest.raises(WrongCredentials):
            sign_in.prove(name=name, clear="wrong", via=via)


@pytest.mark.parametrize("name", ["bob", " BOB ", "bob@acme.example", "Bob@ACME.example", "ｂｏｂ"])
def test_a_person_is_proven_by_name_or_address_in_any_spelling(cast, name):
    proven = prove(cast, name)

    assert (proven.user.username, proven.organization.name, proven.second_factor_at) == ("bob", "acme", None)


def test_a_digest_of_the_password_opens_as_the_password_does_and_is_not_itself_one(cast):
    assert prove(cast, clear=None, password_sha256=cast.digest("bob")).user == cast.user("bob")
    with pytest.raises(WrongCredentials):
        prove(cast, clear=cast.digest("bob"))


def test_a_session_remembers_the_sign_in(cast):
    opened = sign_in.open_session(prove(cast), via=VIA, lifetime=timedelta(hours=1))

    bob = cast.user("bob")
    assert (bob.last_login_address, bob.last_login_at) == (
        "127.0.0.1",
        opened.session.created_at,
    ) or bob.last_login_at is not None
    assert (
        AuditEvent.objects.filter(event="login.succeeded", actor="bob", subject_user=bob, address="127.0.0.1").count()
        == 1
    )
    assert sessions.by_secret(opened.secret, doors=("test",), via=VIA).name == "bob"


@pytest.mark.parametrize("change", [
    lambda user, by: users.set_password(by=by, user=user, clear="another good Passphrase 7"),
    lambda user, by: users.disable(by=by, user=user),
    lambda user, by: users.lock(by=by, user=user),
], ids=["a new password", "disabled", "locked"])  # fmt: skip
def test_what_changed_while_the_password_was_looked_at_opens_no_session(cast, console, change):
    proven = prove(cast)
    change(cast.user("bob"), console)

    with pytest.raises(WrongCredentials):
        sign_in.open_session(proven, via=VIA, lifetime=timedelta(hours=1))
    assert not Session.objects.filter(user=proven.user, is_personal_token=False).exists()


STATES = {
    "disabled": {"is_active": False},
    "locked": {"locked_at": clock.now()},
    "expired": {"expires_at": clock.now() - timedelta(days=1)},
    "from elsewhere": {"auth_ip": ["10.0.0.0/8"]},
    "from an unreadable place": {"auth_ip": [{"ip": "not an address"}]},
    "without a home": {"default_organization": None},
    "without a password": {"password": "!nothing"},
}


@pytest.mark.parametrize("state", list(STATES.values()), ids=list(STATES))
def test_an_account_that_may_not_sign_in_answers_like_a_wrong_password(cast, state):
    User.objects.filter(username="bob").update(**state)

    with pytest.raises(WrongCredentials, match="wrong credentials"):
        prove(cast)


@pytest.mark.parametrize("entry", ["127.0.0.1", {"ip": "127.0.0.0/24"}])
def test_an_allowed_address_opens(cast, entry):
    User.objects.filter(username="bob").update(auth_ip=[entry])

    assert prove(cast).user.username == "bob"


def test_a_suspended_organisation_lets_nobody_in(cast):
    Organization.objects.filter(name="acme").update(suspended_at=clock.now())

    with pytest.raises(WrongCredentials):
        prove(cast)


def test_an_organisation_that_one_does_not_belong_to_is_a_wrong_one(cast):
    with pytest.raises(WrongCredentials):
        prove(cast, organization_id=cast.organization("globex").pk)


def test_an_operator_signs_in_to_no_organisation(cast):
    User.objects.create_superuser("root", "root@example.com", "an operator's Passphrase")

    proven = sign_in.prove(name="root", clear="an operator's Passphrase", via=VIA)
    opened = sign_in.open_session(proven, via=VIA, lifetime=timedelta(hours=1))

    principal = sessions.by_secret(opened.secret, doors=("test",), via=VIA)
    assert (principal.kind, principal.organization_id, principal.is_operator) == ("operator", None, True)


def test_an_operator_who_is_none_any_more_is_out(cast):
    User.objects.create_superuser("root", "root@example.com", "an operator's Passphrase")
    proven = sign_in.prove(name="root", clear="an operator's Passphrase", via=VIA)
    opened = sign_in.open_session(proven, via=VIA, lifetime=timedelta(hours=1))
    User.objects.filter(username="root").update(is_superuser=False)

    with pytest.raises(CredentialRevoked):
        sessions.by_secret(opened.secret, doors=("test",), via=VIA)


def test_the_first_ten_failures_are_refused_and_every_further_try_is_blocked(cast):
    fail(times=10)

    with pytest.raises(TooManyAttempts) as refusal:
        prove(cast)
    assert 890 < refusal.value.retry_after_seconds <= 900
    assert AuditEvent.objects.get(event="login.blocked").subject == "bob"


def test_name_and_address_doors_and_spellings_share_one_counter(cast):
    fail("bob", 4)
    fail("BOB@acme.example", 3, via=ELSEWHERE)
    fail(" Bob ", 3)

    with pytest.raises(TooManyAttempts):
        prove(cast, via=ELSEWHERE)


def test_a_name_that_is_nobodys_is_blocked_just_the_same(cast):
    fail("nobody", 10)

    with pytest.raises(TooManyAttempts):
        sign_in.prove(name="NOBODY ", clear="x", via=VIA)


def test_a_success_clears_the_counter(cast):
    fail(times=9)
    prove(cast)
    fail(times=9)

    assert prove(cast).user.username == "bob"


def test_live_sessions_stay_when_the_name_is_blocked(cast):
    opened = cast.session("bob")
    fail(times=11 - 1)

    assert sessions.by_secret(opened.secret, doors=("test",), via=VIA).name == "bob"


def test_a_block_ends_by_itself(cast, settings):
    settings.LOCKOUT_SECONDS = 0
    fail(times=12)

    assert prove(cast).user.username == "bob"


def test_failures_of_one_address_are_counted_over_all_names(cast, settings):
    settings.THROTTLE_LOGIN_PER_ADDRESS = (5, 60)
    for n in range(5):
        fail(f"nobody{n}")

    with pytest.raises(TooManyAttempts):
        prove(cast)
    assert prove(cast, via=ELSEWHERE).user.username == "bob"


def test_successes_are_not_charged_to_the_address(cast, settings):
    settings.THROTTLE_LOGIN_PER_ADDRESS = (2, 60)

    for _ in range(4):
        prove(cast)


def test_a_blocked_name_costs_its_address_nothing(cast, settings):
    fail(times=10, via=ELSEWHERE)
    settings.THROTTLE_LOGIN_PER_ADDRESS = (1, 60)

    for _ in range(3):
        with pytest.raises(TooManyAttempts):
            prove(cast)
    assert sign_in.prove(name="ivan", clear=cast.password("ivan"), via=VIA).user.username == "ivan"


def test_a_try_without_an_address_is_counted_by_name_only(cast):
    nowhere = Via(door="test")
    fail(times=1, via=nowhere)

    assert prove(cast, via=nowhere).user.username == "bob"


def test_equal_failures_of_a_minute_share_a_row_with_a_count(cast):
    fail(times=3)
    fail(times=1, via=ELSEWHERE)

    rows = AuditEvent.objects.filter(event="login.failed").order_by("pk").values_list("subject", "address", "count")
    assert list(rows) == [("bob", "127.0.0.1", 3), ("bob", "192.0.2.7", 1)]


def test_what_is_no_name_is_not_kept(cast):
    fail("x\0y")
    fail("x" * 200)

    assert set(AuditEvent.objects.filter(event="login.failed").values_list("subject", flat=True)) == {"?"}


def test_a_second_factor_is_asked_and_its_code_serves_once(cast, console):
    secret = second_factor.enrol(by=console, user=cast.user("bob")).secret
    code = code_of(secret)

    with pytest.raises(sign_in.SecondFactorMissing):
        prove(cast)
    with pytest.raises(WrongCredentials):
        prove(cast, otp="000000" if code != "000000" else "000001")
    assert prove(cast, otp=code).second_factor_at is not None
    with pytest.raises(WrongCredentials):
        prove(cast, otp=code)


def test_a_wrong_second_factor_is_counted_like_a_wrong_password(cast, console):
    second_factor.enrol(by=console, user=cast.user("bob"))
    for _ in range(10):
        with pytest.raises(WrongCredentials):
            prove(cast, otp="12345")

    with pytest.raises(TooManyAttempts):
        prove(cast)


def test_a_door_that_cannot_ask_is_closed_unless_the_organisation_exempts_it(cast, console):
    second_factor.enrol(by=console, user=cast.user("bob"))
    with pytest.raises(WrongCredentials):
        prove(cast, asks_second_factor=False, exempt_door="basic")

    Organization.objects.filter(name="acme").update(second_factor_exemptions=["basic"])

    assert prove(cast, asks_second_factor=False, exempt_door="basic").second_factor_at is None
    with pytest.raises(WrongCredentials):
        prove(cast, asks_second_factor=False, exempt_door="another")


IMPORTED = {
    "bcrypt": lambda clear: make_password(clear, hasher="bcrypt"),
    "bcrypt over SHA-256": lambda clear: make_password(clear, hasher="bcrypt_sha256"),
    "PBKDF2": lambda clear: make_password(clear, hasher="pbkdf2_sha256"),
}


@pytest.mark.parametrize("hashed", list(IMPORTED.values()), ids=list(IMPORTED))
def test_an_imported_hash_serves_clear_passwords_and_is_upgraded_at_the_first(cast, console, hashed):
    users.import_hash(by=console, user=cast.user("bob"), encoded=hashed("an imported Passphrase"))
    digest = crypto.password_digest("an imported Passphrase")
    with pytest.raises(WrongCredentials):
        prove(cast, clear=None, password_sha256=digest)
    assert cast.user("bob").has_imported_hash()

    prove(cast, clear="an imported Passphrase")

    assert not cast.user("bob").has_imported_hash()
    assert prove(cast, clear=None, password_sha256=digest).user.username == "bob"


def test_the_password_is_asked_again_and_counted(cast):
    bob = cast.user("bob")
    sign_in.check_own_password(user=bob, clear=cast.password("bob"), via=VIA)
    for _ in range(10):
        with pytest.raises(WrongCredentials):
            sign_in.check_own_password(user=bob, clear="wrong", via=VIA)

    with pytest.raises(TooManyAttempts):
        sign_in.check_own_password(user=bob, password_sha256=cast.digest("bob"), via=VIA)


def test_a_block_by_decree_holds_and_is_taken_away(cast):
    bob = cast.user("bob")
    until = lockout.block(name="bob", user=bob, at=clock.now())
    assert abs(lockout.blocked_until(name="bob", user=bob, at=clock.now()) - until) < timedelta(seconds=1)
    with pytest.raises(TooManyAttempts):
        prove(cast)

    lockout.unblock(name="bob", user=bob)

    assert lockout.blocked_until(name="bob", user=bob, at=clock.now()) is None
    assert prove(cast).user.username == "bob"


def test_expired_windows_are_purged(cast, settings):
    settings.LOCKOUT_SECONDS = 0
    fail("nobody")

    assert limits.purge() >= 1


def code_of(secret):
    return f"{totp(base64.b32decode(secret + '=' * (-len(secret) % 8))):06d}"


@pytest.mark.django_db(transaction=True)
def test_a_limit_of_ten_means_ten_evaluations_under_sixty_four_at_once(cast, at_once):
    def try_once(_n):
        try:
            sign_in.prove(name="bob", clear="wrong", via=VIA)
        except (WrongCredentials, TooManyAttempts) as e:
            return type(e)

    answers = at_once(64, try_once)

    assert (answers.count(WrongCredentials), answers.count(TooManyAttempts)) == (10, 54)
    assert not Session.objects.filter(user=cast.user("bob"), is_personal_token=False).exists()


@pytest.mark.django_db(transaction=True)
def test_who_is_right_many_times_at_once_is_never_blocked(cast, at_once):
    at_once(32, lambda _n: prove(cast))

    assert not AuditEvent.objects.filter(event="login.blocked").exists()
