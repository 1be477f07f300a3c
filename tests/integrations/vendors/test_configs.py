"""Hostile configurations: refused when they are written, and once more when a call would be made of them (clarifications 34 and 71)."""

from __future__ import annotations

from typing import Any

import pytest

from identity import applications
from identity.errors import Invalid
from identity.models import Application
from identity.principal import at_the_console
from integrations.vendors import client, configs, nice, partner_tokens, talkdesk
from tests.cast import Cast
from tests.integrations.vendors.stand_in import StandIn

pytestmark = [pytest.mark.django_db, pytest.mark.wire("auvious", "3.6 Hosts in configurations")]
SECRETS = {"clientId": "me", "clientSecret": "s3cret"}
GOOD: dict[str, dict[str, Any]] = {
    "GENESYS": {"organizationId": "o", "pcEnvironment": "mypurecloud.ie", "serviceParameters": SECRETS},
    "TALKDESK_OPENID": {"account": "acme", "region": "eu", "serviceParameters": SECRETS},
    "NICE_CXONE_OPENID": {"issuer": "https://cxone.niceincontact.com", "serviceParameters": SECRETS},
    "STANDALONE_OPENID": {"issuer": "https://id.acme.example"},
}

REGIONS = [
    "mypurecloud.com", "mypurecloud.ie", "mypurecloud.de", "mypurecloud.jp", "mypurecloud.com.au", "usw2.pure.cloud", "cac1.pure.cloud",
    "euw2.pure.cloud", "euc2.pure.cloud", "apne2.pure.cloud", "apne3.pure.cloud", "aps1.pure.cloud", "sae1.pure.cloud", "mec1.pure.cloud",
    "use2.us-gov-pure.cloud",
]  # fmt: skip
ISSUERS = [
    "https://cxone.niceincontact.com", "https://cxone.niceincontact.com/", "https://na1.nice-incontact.com", "https://eu1.nicecxone.com/auth/realm",
]  # fmt: skip


@pytest.mark.parametrize("region", REGIONS)
def test_the_regions_of_genesys_are_accepted(region: str) -> None:
    configs.check("GENESYS", {**GOOD["GENESYS"], "pcEnvironment": region})


@pytest.mark.parametrize("issuer", ISSUERS)
def test_issuers_of_nice_are_accepted(issuer: str) -> None:
    configs.check("NICE_CXONE_OPENID", {**GOOD["NICE_CXONE_OPENID"], "issuer": issuer})


@pytest.mark.parametrize(
    "issuer", ["https://id.acme.example", "https://id.acme.example:8443/realms/a~b/", "https://a.b.xn--p1ai/%20"]
)
def test_providers_of_the_public_internet_are_accepted(issuer: str) -> None:
    configs.check("STANDALONE_OPENID", {"issuer": issuer})


@pytest.mark.parametrize(
    ("region", "host"), [("us", "acme.talkdeskid.com"), ("eu", "acme.talkdeskid.eu"), ("ca", "acme.talkdeskidca.com"), ("au", "acme.talkdeskid.au")]
)  # fmt: skip
def test_each_region_of_talkdesk_has_its_domain(region: str, host: str) -> None:
    place, path = talkdesk.token_endpoint(config={"account": "acme", "region": region}, organization_id=None, until=0.0)
    assert (place.base, path, place.is_operators) == (f"https://{host}", "/oauth/token", False)


HOSTS = [
    "localhost", "127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "2130706433", "evil.example", "mypurecloud.ie.evil.example",
    "evil.example/mypurecloud.ie", "evil.example#mypurecloud.ie", "evil.example?mypurecloud.ie", "x@mypurecloud.ie", "mypurecloud.ie@evil.example",
    "mypurecloud.ie:8443", "mypurecloud.ie.", "mypurecloud.ie/", "mypurecloud.ie\n", "\nmypurecloud.ie", " mypurecloud.ie", "mypurecloud。ie",
    "mypurecloud.ie\u0000", "MYPURECLOUD.IE", "mypurecloud.ıe", "evilmypurecloud.ie", "mypurecloud.io", "mypurecloudxie", "usw2.pure.cloud.evil.example",
    "evil.pure.cloud", "../usw2.pure.cloud", "https://mypurecloud.ie", "a.mypurecloud.ie", "", 5, None, ["mypurecloud.ie"], {},
]  # fmt: skip
ACCOUNTS = [
    "evil.example/", "evil.example#", "evil.example?", "a.b", "a@b", "user:pw@evil", "-a", "a-", "", " ", "a b", "a\n", "å", "ａcme", "acme。evil", "a" * 64,
    "127.0.0.1", "a/../b", "a\\b", "ACME", "a%2eb", 5, None, ["acme"],
]  # fmt: skip
BAD_ISSUERS = [
    "http://cxone.niceincontact.com", "https://niceincontact.com.evil.example", "https://evil.example/niceincontact.com", "https://evilniceincontact.com",
    "https://cxone.niceincontact.com@evil.example", "https://u:p@cxone.niceincontact.com", "https://cxone.niceincontact.com:8443", "https://cxone.niceincontact.com.",
    "https://cxone.niceincontact.com?x=1", "https://cxone.niceincontact.com#x", "https://cxone.niceincontact.com/a b", "https://cxone.niceincontact.com/%2e%2e",
    "https://cxone.niceincontact.com\\@evil.example", "https://cxone。niceincontact.com", "https://cxone.niceincontact.com\n", " https://cxone.niceincontact.com",
    "HTTPS://cxone.niceincontact.com", "https://CXONE.niceincontact.com", "//cxone.niceincontact.com", "cxone.niceincontact.com", "https://127.0.0.1",
    "https://[::1]", "file:///etc/passwd", "https://cxone.niceincontact.com//evil.example", "", 5, None, [],
]  # fmt: skip
BAD_PROVIDERS = [
    "http://id.acme.example", "https://localhost", "https://127.0.0.1", "https://169.254.169.254/latest", "https://2130706433", "https://0x7f.0.0.1",
    "https://[::1]", "https://[::ffff:7f00:1]", "https://id.acme.example.", "https://id..acme.example", "https://.acme.example", "https://-id.acme.example",
    "https://id.acme.example@evil.example", "https://u:p@id.acme.example", "https://id.acme.example?x=1", "https://id.acme.example/?x=1",
    "https://id.acme.example/#x", "https://id.acme.example\\@evil.example", "https://id。acme.example", "https://id.acme.example\n", "https://id.acme.example/a b",
    "https://id_.acme.example", "https://ID.acme.example", "https://", "https:///x", "//id.acme.example", "", 5, None, [],
]  # fmt: skip
HOSTILE = [
    *(("GENESYS", "pcEnvironment", value) for value in HOSTS),
    *(("TALKDESK_OPENID", "account", value) for value in ACCOUNTS),
    *(("TALKDESK_OPENID", "region", value) for value in ("se", "EU", "", "eu\n", "talkdeskid.com", 5, None)),
    *(("NICE_CXONE_OPENID", "issuer", value) for value in BAD_ISSUERS),
    *(("STANDALONE_OPENID", "issuer", value) for value in BAD_PROVIDERS),
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "name", "value"), HOSTILE, ids=[f"{type_}-{name}-{value!a}" for type_, name, value in HOSTILE]
)
def test_a_hostile_address_is_refused_by_its_name(type_: str, name: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        configs.check(type_, {**GOOD[type_], name: value})
    assert set(refused.value.fields) == {f"config.{name}"}


@pytest.mark.parametrize("type_", list(GOOD))
def test_what_is_good_is_accepted(type_: str) -> None:
    configs.check(type_, GOOD[type_])


@pytest.mark.parametrize(("type_", "name", "value"), [("TALKDESK_OPENID", "account", "evil.example/"), ("NICE_CXONE_OPENID", "issuer", "https://evil.example")])  # fmt: skip
def test_what_got_in_by_another_way_is_not_called(
    cast: Cast, settings: Any, stand_in: StandIn, type_: str, name: str, value: str
) -> None:
    settings.TALKDESK_BASE_URL = settings.NICE_BASE_URL = stand_in.url
    acme = cast.organization("acme")
    Application.objects.filter(type=type_).delete()
    row = applications.create(by=at_the_console(), organization=acme, type_=type_, config={**GOOD[type_], name: value})

    with pytest.raises(Invalid) as refused:
        configs.checked(row)
    assert set(refused.value.fields) == {f"config.{name}"}
    with pytest.raises(Invalid):
        partner_tokens.refresh(by=cast.principal("alice"), organization=acme, type_=type_, refresh_token="x")
    assert stand_in.asked == []


@pytest.mark.parametrize(
    ("named", "other"), [("TALKDESK_BASE_URL", "nice"), ("NICE_BASE_URL", "talkdesk"), ("GENESYS_BASE_URL", "talkdesk")]
)
def test_the_operators_word_counts_for_one_vendor(settings: Any, named: str, other: str) -> None:
    setattr(settings, named, "http://127.0.0.1:9/stand-in")
    vendor = named.partition("_")[0].lower()
    assert client.place(vendor, "https://x.example") == client.Place(vendor, "http://127.0.0.1:9/stand-in", True)
    assert client.place(other, "https://x.example/") == client.Place(other, "https://x.example", False)


def test_an_issuer_with_a_path_is_asked_below_it(cast: Cast, settings: Any, stand_in: StandIn) -> None:
    settings.NICE_BASE_URL = f"{stand_in.url}/tenant"
    stand_in.answers(200, {"token_endpoint": f"{stand_in.url}/auth/token?tenant=1"})
    acme = cast.organization("acme")

    place, path = nice.token_endpoint(
        config=GOOD["NICE_CXONE_OPENID"], organization_id=acme.pk, until=client.deadline()
    )

    assert stand_in.asked[0].path == "/tenant/.well-known/openid-configuration"
    assert (place, path) == (client.Place("nice", stand_in.url, True), "/auth/token?tenant=1")
