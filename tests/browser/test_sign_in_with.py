"""People sign in through their company's own OpenID provider, a real one, in real Chromium."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from identity import applications, organizations, second_factor
from identity.models import Application, AuditEvent, Session
from identity.principal import at_the_console
from integrations.models import ExternalIdentity
from tests.browsers import code_of
from tests.cast import Cast
from tests.openid_provider import CLIENT_ID, CLIENT_SECRET, PASSWORD, OpenIdProvider, person
from tests.processes import Portal

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = {
    "robert": person(email="bob@acme.example", email_verified=True, given_name="Robert", amr=["pwd"]),
    "nora": person(
        email="nora@acme.example", email_verified=True, preferred_username="nora", given_name="Nora", family_name="Nord",
        groups=["team-leads"], amr=["pwd", "otp", "mfa"],
    ),
    "eve": person(email="alice@acme.example", email_verified=False),
}  # fmt: skip


class Elsewhere:
    """A portal whose acme signs in through a provider, and that provider."""

    def __init__(self, portal: Portal, provider: OpenIdProvider, application: Application) -> None:
        self.portal, self.provider, self.application = portal, provider, application


@pytest.fixture
def elsewhere(
    cast: Cast, start_portal: Callable[..., Portal], openid_provider: OpenIdProvider
) -> Callable[..., Elsewhere]:
    """A function that connects acme with the provider, under what its administrator decided."""

    def connect(*, creates_people: bool = False, **decided: Any) -> Elsewhere:
        by, acme = at_the_console(), cast.organization("acme")
        config = {
            "issuer": "https://id.acme.example", "serviceParameters": {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET},
            "signIn": {"enabled": True, "label": "Continue with Elsewhere", **decided},
        }  # fmt: skip
        made = applications.create(by=by, organization=acme, type_="STANDALONE_OPENID", config=config)
        organizations.change(
            by=by, organization=acme, sign_in_domains=["acme.example"], creates_people_just_in_time=creates_people
        )
        portal = start_portal(OPENID_BASE_URL=openid_provider.issuer)
        openid_provider.serve(portal.url, made.pk, PEOPLE)
        return Elsewhere(portal, openid_provider, made)

    return connect


def press_button(page: Page, at: Elsewhere, email: str = "somebody@acme.example", target: str = "") -> None:
    """Find the company's button by an e-mail address, and press it."""
    page.goto(f"{at.portal.url}/login/{target}")
    page.get_by_text("Sign in through your company").click()
    page.get_by_label("E-mail address at work").fill(email)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("link", name="Continue with Elsewhere").click()


def log_in_there(page: Page, at: Elsewhere, name: str) -> None:
    """Be somebody at the provider."""
    expect(page.get_by_role("heading", name="Elsewhere")).to_be_visible()
    assert page.url.startswith(at.provider.issuer.removesuffix("/o"))
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()


def test_an_agent_signs_in_through_the_company_and_comes_back_to_where_he_wanted(
    page: Page, elsewhere: Callable[..., Elsewhere], cast: Cast
) -> None:
    # given acme, whose provider may recognise people by their verified address
    at = elsewhere(linkBy="email")

    # when bob, who is called robert there, goes that way to a page of his
    press_button(page, at, target="?next=/account/")
    log_in_there(page, at, "robert")

    # then he is there, as himself; it is linked for the next time, and on record
    expect(page).to_have_url(f"{at.portal.url}/account/")
    bob = cast.user("bob")
    identity = ExternalIdentity.objects.get()
    assert (identity.user, identity.issuer) == (bob, at.provider.issuer)
    assert Session.objects.get(user=bob, door="portal", ended_at=None).second_factor_at is None
    said = AuditEvent.objects.filter(door="with").order_by("pk").values_list("event", "subject", "details__application")
    assert list(said) == [
        ("user.linked", "bob", at.application.pk),
        ("login.succeeded", "bob", at.application.pk),
    ]
    assert list(cast.membership("bob").roles) == ["Agent"]


def test_who_is_new_gets_an_account_with_the_roles_that_the_provider_says(
    page: Page, elsewhere: Callable[..., Elsewhere], cast: Cast
) -> None:
    at = elsewhere(
        creates_people=True, roleClaim="groups", roles={"team-leads": "Supervisor"}, acceptsSecondFactor=True
    )

    press_button(page, at)
    log_in_there(page, at, "nora")

    expect(page).to_have_url(f"{at.portal.url}/desk/")
    nora = cast.user("nora")
    assert (nora.email, nora.first_name, nora.last_name) == ("nora@acme.example", "Nora", "Nord")
    assert list(cast.membership("nora").roles) == ["Agent", "Supervisor"]
    assert cast.agent("nora").extension
    assert Session.objects.get(user=nora).second_factor_at is not None


def test_an_address_that_nobody_verified_opens_nothing(
    page: Page, elsewhere: Callable[..., Elsewhere], cast: Cast
) -> None:
    at = elsewhere(linkBy="email", creates_people=True)

    press_button(page, at)
    log_in_there(page, at, "eve")

    expect(page.get_by_text("Your provider has not verified your e-mail address.")).to_be_visible()
    expect(page.get_by_role("link", name="Sign in another way")).to_be_visible()
    assert not Session.objects.filter(user=cast.user("alice"), door="portal").exists()
    assert AuditEvent.objects.get(event="login.failed").rule == "unverified"


def test_whoever_has_a_second_factor_here_is_asked_for_it(
    page: Page, elsewhere: Callable[..., Elsewhere], cast: Cast
) -> None:
    at = elsewhere(linkBy="email")
    secret = second_factor.enrol(by=at_the_console(), user=cast.user("bob")).secret

    press_button(page, at)
    log_in_there(page, at, "robert")
    expect(page.get_by_role("heading", name="One step more")).to_be_visible()
    assert not Session.objects.filter(user=cast.user("bob"), door="portal").exists()
    page.get_by_label("Code").fill(code_of(secret))
    page.get_by_role("button", name="Continue").click()

    expect(page).to_have_url(f"{at.portal.url}/desk/")
    assert Session.objects.get(user=cast.user("bob"), door="portal").second_factor_at is not None


def test_logging_out_here_logs_out_at_the_provider_too(page: Page, elsewhere: Callable[..., Elsewhere]) -> None:
    # given bob, signed in by way of the provider, where the next click on the button would ask him nothing
    at = elsewhere(linkBy="email", logsOut=True)
    press_button(page, at)
    log_in_there(page, at, "robert")
    expect(page).to_have_url(f"{at.portal.url}/desk/")

    # when he logs out
    page.get_by_role("button", name="Log out").click()

    # then he ends at our sign-in page, and the provider has forgotten him as well
    expect(page).to_have_url(f"{at.portal.url}/login/")
    assert not Session.objects.filter(ended_at=None, door="portal").exists()
    press_button(page, at)
    expect(page.get_by_label("Username")).to_be_visible()
    assert page.url.startswith(at.provider.issuer.removesuffix("/o"))
