"""The admin's editor of applications: the fields of each type, secrets that only go in, and the permissions of the wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.urls import reverse

from identity import applications
from identity.models import Application, AuditEvent
from identity.principal import at_the_console
from integrations.vendors import configs
from tests.cast import Cast
from tests.identity.admin.conftest import admin_of

__all__ = ["admin_of"]  # the fixture
pytestmark = pytest.mark.django_db
Admin = Callable[[str], Any]  # Client, whose answers the stubs know too little of
LIST = "/admin/identity/application/"
ADD = f"{LIST}add/"
MASK = "••••••••"
SECRET = "the demo's own secret"  # of nobody


def page_of(row: Application, page: str = "change", *more: str) -> str:
    return reverse(f"admin:identity_application_{page}", args=[row.pk, *more])


def made(cast: Cast, type_: str, config: dict[str, Any]) -> Application:
    return applications.create(by=at_the_console(), organization=cast.organization("acme"), type_=type_, config=config)


@pytest.fixture
def nice(cast: Cast) -> Application:
    return made(
        cast, "NICE_CXONE_OPENID",
        {"issuer": "https://a.niceincontact.com", "serviceParameters": {"clientId": "me", "clientSecret": SECRET, "deep": {"token": "t1"}}},
    )  # fmt: skip


def asked(**said: str) -> dict[str, str]:
    """What the browser sends back when nothing was touched."""
    return {
        "is_visible": "on", "config.issuer": "https://a.niceincontact.com", "config.serviceParameters.clientId": "me",
        "config.serviceParameters.clientSecret": "", "config.serviceParameters": json.dumps({"deep": {"token": MASK}}), **said,
    }  # fmt: skip


def errors_of(answer: Any) -> set[str]:
    return set(answer.context["adminform"].form.errors)


def stored(row: Application) -> dict[str, Any]:
    row.refresh_from_db()
    return applications.config_of(row)


@pytest.mark.parametrize("type_", list(configs.SCHEMAS))
def test_each_type_has_a_page_with_its_own_fields(admin_of: Admin, type_: str) -> None:
    answer = admin_of("alice").get(ADD, {"type": type_})

    named = {name for at in configs.sections_of(type_).values() for name in at.get("properties", {})}
    fields = set(answer.context["adminform"].form.fields)
    assert {name.rpartition(".")[2] for name in fields} >= named | set(configs.SECTIONS) | {"rest"}
    assert "style=" not in answer.text


def test_the_first_question_is_the_type(admin_of: Admin) -> None:
    answer = admin_of("alice").get(ADD)

    assert answer.context["types"] == list(configs.SCHEMAS)
    assert admin_of("alice").get(ADD, {"type": "FAX"}).context["types"] == list(configs.SCHEMAS)


def test_an_application_is_connected_with_its_secret_sealed(cast: Cast, admin_of: Admin) -> None:
    alice = admin_of("alice")

    answer = alice.post(
        f"{ADD}?type=TALKDESK_OPENID",
        {
            "config.account": "acme-calls", "config.region": "eu", "config.serviceParameters.clientId": "me",
            "config.serviceParameters.clientSecret": SECRET, "config.agentParameters": '{"theme": "dark", "api_token": "t1"}', "rest": "",
        },
    )  # fmt: skip

    assert answer.url == LIST
    row = Application.objects.get(config__account="acme-calls")
    assert (row.organization, row.type, row.is_visible) == (cast.organization("acme"), "TALKDESK_OPENID", False)
    assert applications.config_of(row) == {
        "account": "acme-calls", "region": "eu", "serviceParameters": {"clientId": "me", "clientSecret": SECRET},
        "agentParameters": {"theme": "dark", "api_token": "t1"},
    }  # fmt: skip
    assert SECRET not in json.dumps(row.config)
    assert SECRET not in alice.get(page_of(row)).text
    assert "acme-calls" in alice.get(page_of(row)).text


def test_a_page_says_which_addresses_the_provider_has_to_know(cast: Cast, nice: Application, admin_of: Admin) -> None:
    other = made(cast, "TEST", {})

    shown = admin_of("alice").get(page_of(nice)).text
    assert f"{settings.PUBLIC_URL}/login/with/{nice.pk}/callback/<br>{settings.PUBLIC_URL}/login/</" in shown
    assert "/login/with/" not in admin_of("alice").get(page_of(other)).text


def test_a_page_that_comes_back_untouched_changes_nothing(nice: Application, admin_of: Admin) -> None:
    before, trail = stored(nice), AuditEvent.objects.count()

    answer = admin_of("alice").post(page_of(nice), asked())

    assert answer.url == LIST
    assert stored(nice) == before
    assert AuditEvent.objects.count() == trail


def test_stored_secrets_stay_where_they_are_masked_and_other_entries_change(nice: Application, admin_of: Admin) -> None:
    alice = admin_of("alice")
    text = alice.get(page_of(nice)).text
    assert SECRET not in text
    assert "t1" not in json.dumps(
        alice.get(page_of(nice)).context["adminform"].form.fields["config.serviceParameters"].initial
    )

    alice.post(
        page_of(nice),
        asked(
            **{
                "config.serviceParameters.clientId": "you",
                "config.serviceParameters": f'{{"deep": {{"token": "{MASK}", "more": [1]}}}}',
            }
        ),
    )

    service = {"clientId": "you", "clientSecret": SECRET, "deep": {"token": "t1", "more": [1]}}
    assert stored(nice) == {"issuer": "https://a.niceincontact.com", "serviceParameters": service}
    assert AuditEvent.objects.latest("id").event == "application.changed"


def test_a_new_secret_takes_the_place_of_the_old(nice: Application, admin_of: Admin) -> None:
    admin_of("alice").post(page_of(nice), asked(**{"config.serviceParameters.clientSecret": "n3w"}))

    assert stored(nice)["serviceParameters"]["clientSecret"] == "n3w"


def test_a_stored_secret_is_not_sent_to_another_host(nice: Application, admin_of: Admin) -> None:
    alice, elsewhere = admin_of("alice"), "https://evil.niceincontact.com"

    refused = alice.post(page_of(nice), asked(**{"config.issuer": elsewhere}))
    assert errors_of(refused) == {"config.serviceParameters.clientSecret", "config.serviceParameters"}
    assert stored(nice)["issuer"] == "https://a.niceincontact.com"

    both = {"config.serviceParameters.clientSecret": "n3w", "config.serviceParameters": '{"deep": {"token": "t2"}}'}
    alice.post(page_of(nice), asked(**{"config.issuer": elsewhere}, **both))
    service = {"clientId": "me", "clientSecret": "n3w", "deep": {"token": "t2"}}
    assert stored(nice) == {"issuer": elsewhere, "serviceParameters": service}


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("config.issuer", "https://evil.example"), ("config.issuer", ""), ("config.serviceParameters.clientId", ""),
        ("config.serviceParameters", "["), ("config.serviceParameters", "[1]"), ("config.serviceParameters", '{"a": NaN}'),
        ("config.serviceParameters", '{"a": "\\u0000"}'), ("config.serviceParameters", '{"a":' * 40 + "1" + "}" * 40),
        ("config.serviceParameters", '{"clientSecret": "x"}'), ("rest", '{"issuer": "x"}'), ("rest", '{"agentParameters": {}}'),
        ("config.agentParameters", f'{{"token": "{MASK}"}}'), ("config.serviceParameters", f'{{"other": {{"token": "{MASK}"}}}}'),
        ("config.serviceParameters", f'{{"deep": "{MASK}"}}'), ("config.serviceParameters", f'{{"deep": {{"token": ["{MASK}"]}}}}'),
    ],
)  # fmt: skip
def test_what_the_type_does_not_take_is_refused_at_its_field(
    nice: Application, admin_of: Admin, field: str, said: str
) -> None:
    before = stored(nice)

    answer = admin_of("alice").post(page_of(nice), asked(**{field: said}))

    assert errors_of(answer) == {field}
    assert stored(nice) == before


def test_secrets_in_a_list_stay_only_while_the_list_keeps_its_length(cast: Cast, admin_of: Admin) -> None:
    row, alice = made(cast, "TEST", {"tokens": ["a1", "b2"]}), admin_of("alice")

    alice.post(page_of(row), {"rest": f'{{"tokens": ["{MASK}", "new"]}}'})
    assert stored(row) == {"tokens": ["a1", "new"]}

    answer = alice.post(page_of(row), {"rest": f'{{"tokens": ["{MASK}"]}}'})
    assert errors_of(answer) == {"rest"}
    assert stored(row) == {"tokens": ["a1", "new"]}


def test_an_emptied_section_stays_an_empty_section(cast: Cast, admin_of: Admin) -> None:
    row = made(cast, "TEST", {"agentParameters": {"a": 1}})

    admin_of("alice").post(page_of(row), {"config.agentParameters": ""})

    assert stored(row) == {"agentParameters": {}}


def test_the_two_switches_are_set_by_their_verb(nice: Application, admin_of: Admin) -> None:
    admin_of("alice").post(page_of(nice), asked(allows_anonymous_registration="on"))

    nice.refresh_from_db()
    assert (nice.is_visible, nice.allows_anonymous_registration, nice.version) == (True, True, 0)


def test_an_application_is_disconnected(nice: Application, admin_of: Admin) -> None:
    answer = admin_of("alice").post(page_of(nice, "do", "delete"))

    assert answer.url == LIST
    assert not Application.objects.filter(pk=nice.pk).exists()


def give(cast: Cast, name: str, *grants: str) -> None:
    """Take every grant from somebody but these."""
    held = cast.membership(name)
    held.grants = [f"integrations:integration:{verb}" for verb in grants]
    held.save(update_fields=["grants"])


def test_an_admin_without_the_grant_sees_a_guarded_type_and_only_switches_it(cast: Cast, admin_of: Admin) -> None:
    give(cast, "alice")
    alice, row = admin_of("alice"), Application.objects.get(type="GENESYS")
    before = stored(row)

    shown = alice.get(page_of(row))
    alice.post(page_of(row), {"allows_anonymous_registration": "on", "config.organizationId": "mine"})
    alice.post(page_of(row, "do", "delete"))

    assert set(shown.context["adminform"].form.fields) == {"is_visible", "allows_anonymous_registration"}
    assert [deed.name for deed, _url in shown.context["deeds"]] == ["test"]
    assert MASK in shown.text
    assert "demo-genesys-secret" not in shown.text
    assert stored(row) == before
    assert (row.is_visible, row.allows_anonymous_registration) == (False, True)
    assert "GENESYS" not in alice.get(ADD).context["types"]


@pytest.mark.parametrize("grants", [(), ("view", "add", "edit", "delete")], ids=["without", "with"])
def test_a_supervisor_has_no_page_of_applications_with_or_without_grants(
    cast: Cast, nice: Application, admin_of: Admin, grants: tuple[str, ...]
) -> None:
    give(cast, "carol", *grants)
    carol = admin_of("carol")

    assert carol.get(LIST).status_code == 403
    assert carol.get(ADD).status_code == 403
    assert carol.get(page_of(nice)).status_code == 403
    assert carol.post(page_of(nice, "do", "delete")).status_code == 404
    assert Application.objects.filter(pk=nice.pk).exists()


def test_the_applications_of_others_are_not_there(nice: Application, admin_of: Admin) -> None:
    frank = admin_of("frank")

    assert frank.get(page_of(nice)).status_code == 404
    assert frank.post(page_of(nice), asked()).status_code == 404
    assert frank.post(page_of(nice, "do", "delete")).status_code == 404


def test_an_operator_names_the_organization_and_writes_every_type(cast: Cast, admin_of: Admin) -> None:
    globex = cast.organization("globex")

    admin_of("olle").post(
        f"{ADD}?type=GENESYS",
        {
            "organization": globex.pk,
            "config.organizationId": "o1",
            "config.pcEnvironment": "mypurecloud.de",
            "is_visible": "on",
        },
    )

    row = Application.objects.get(config__organizationId="o1")
    assert (row.organization, row.is_visible) == (globex, True)


def test_an_application_of_an_unknown_type_is_shown_but_not_edited(cast: Cast, admin_of: Admin) -> None:
    row = made(cast, "BYGONE", {"password": "p1", "a": 1})

    answer = admin_of("alice").get(page_of(row))

    assert set(answer.context["adminform"].form.fields) == {"is_visible", "allows_anonymous_registration"}
    assert MASK in answer.text
    assert "p1" not in answer.text


def test_what_is_decided_about_signing_in_is_edited_by_its_fields(nice: Application, admin_of: Admin) -> None:
    alice, at = admin_of("alice"), "config.signIn"
    decided = {
        f"{at}.enabled": "on", f"{at}.label": "Continue with NICE", f"{at}.linkBy": "email", f"{at}.roleClaim": "groups",
        f"{at}.roles": '{"leads": "Supervisor"}', f"{at}.logsOut": "on",
    }  # fmt: skip
    assert '<option value="email">verified e-mail address</option>' in alice.get(page_of(nice)).text
    wrong = alice.post(page_of(nice), asked(**decided | {f"{at}.roles": '{"gods": "ClientService"}'}))
    assert errors_of(wrong)

    assert alice.post(page_of(nice), asked(**decided)).status_code == 302
    assert stored(nice)["signIn"] == {
        "enabled": True, "label": "Continue with NICE", "linkBy": "email", "roleClaim": "groups", "roles": {"leads": "Supervisor"}, "logsOut": True,
    }  # fmt: skip
    assert stored(nice)["serviceParameters"]["clientSecret"] == SECRET

    alice.post(page_of(nice), asked(**{name: said for name, said in decided.items() if name != f"{at}.enabled"}))
    assert "enabled" not in stored(nice)["signIn"]


def test_a_further_host_gets_no_secret_that_was_not_typed_again(nice: Application, admin_of: Admin) -> None:
    answer = admin_of("alice").post(page_of(nice), asked(**{"config.signIn.hosts": "evil.example"}))
    assert errors_of(answer) == {"config.serviceParameters.clientSecret", "config.serviceParameters"}
    assert "signIn" not in stored(nice)
