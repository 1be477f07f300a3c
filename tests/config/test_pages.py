"""Every page template renders, says what happened, and carries nothing inline; error pages survive a broken house."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.urls import path

from config import pages
from config.admin import TASKS
from identity import login_as
from identity.policy import Rule
from identity.principal import Via
from tests.cast import Cast

TEMPLATES = Path(settings.BASE_DIR) / "templates"
STATIC = Path(settings.BASE_DIR) / "config" / "static" / "switchboard"
ERRORS = ("400", "403", "403_csrf", "404", "405", "410", "429", "500", "503")


def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("a fault of ours")


def suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("not from a browser")


urlpatterns = [path("broken/", broken), path("suspicious/", suspicious)]
handler400, handler500 = "config.pages.bad_request", "config.pages.server_error"


def acting_browser(cast: Cast) -> Client:
    """A browser in which alice works as bob, looking only; faults become pages, as they do for people."""
    own = cast.session("alice", door="portal")
    by = cast.principal_of(own.session)
    row = login_as.start(
        by=by, subject_id=cast.user("bob").pk, via=Via(door="portal"), reason="A look at it", mode="look"
    )
    client = Client(raise_request_exception=False)
    client.cookies[settings.PORTAL_COOKIE] = own.secret
    client.cookies[settings.ACTING_COOKIE] = login_as.open_session(
        by=by, login_as=row, via=Via(door="portal-acting")
    ).secret
    return client


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_page_renders_with_no_request_and_no_database(name: str) -> None:
    page = render_to_string(f"{name}.html")
    assert f'<p class="sb-error__code">{name[:3]}</p>' in page
    assert "What to do next" in page
    assert re.search(r'<div class="sb-actions">\s*<a class="sb-button', page)
    assert "data-login-as" not in page


def test_an_error_page_repeats_what_the_domain_said() -> None:
    assert "You are looking &lt;only&gt;." in render_to_string("403.html", {"message": "You are looking <only>."})


@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_of_login_as_has_its_sentence_and_its_advice(rule: Rule) -> None:
    page = render_to_string("pages/login_as_refused.html", {"rule": rule.value, "subject_name": "bob"})
    assert re.findall(r'data-rule="(\w+)"', page) == [rule.value]
    said = [re.sub(r"\s+", " ", words).strip() for words in re.findall(r"<p[^>]*>(.*?)</p>", page, re.S)]
    assert all(len(words) > 20 for words in said if words), said
    assert "You cannot log in as bob" in page


def test_no_two_rules_are_explained_alike() -> None:
    sentences = {render_to_string("pages/_rule.html", {"rule": rule.value}).strip() for rule in Rule}
    assert len(sentences) == len(Rule)
    assert "" not in sentences


@pytest.mark.django_db
@pytest.mark.urls(__name__)
@pytest.mark.parametrize(("where", "status"), [("/nowhere/", 404), ("/broken/", 500), ("/suspicious/", 400)])
def test_the_banner_stands_on_error_pages_too(cast: Cast, where: str, status: int) -> None:
    page = acting_browser(cast).get(where)
    assert page.status_code == status
    assert f'data-login-as="{cast.user("bob").pk}"' in page.text
    assert 'action="/login-as/stop/"' in page.text


@pytest.mark.django_db
@pytest.mark.urls(__name__)
def test_look_only_refuses_a_change_with_the_banner_and_the_reason(cast: Cast) -> None:
    page = acting_browser(cast).post("/broken/")
    assert page.status_code == 403
    assert f'data-login-as="{cast.user("bob").pk}"' in page.text


def test_a_fault_page_comes_out_when_even_the_request_is_broken(rf: RequestFactory) -> None:
    request: Any = rf.get("/desk/")
    request.principal = BrokenPrincipal()
    page = pages.server_error(request)
    assert page.status_code == 500
    assert "Something broke on our side" in page.content.decode()


class BrokenPrincipal:
    """Who asks, when the database that knows it is away."""

    def __bool__(self) -> bool:
        raise ConnectionError("the database is away")


def test_the_environment_is_on_every_page(rf: RequestFactory) -> None:
    page = render_to_string("404.html", request=rf.get("/"))
    assert f'data-environment="{settings.PORTAL_ENV}"' in page


@pytest.mark.parametrize("file", sorted(TEMPLATES.rglob("*.html")), ids=lambda file: str(file.relative_to(TEMPLATES)))
def test_no_page_holds_anything_that_the_content_security_policy_refuses(file: Path) -> None:
    if file.is_relative_to(TEMPLATES / "messages"):
        return  # a mail is read elsewhere, where style sheets do not reach
    text = file.read_text()
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=\"|javascript:|https?://", text)


@pytest.mark.parametrize("file", sorted(STATIC.iterdir()), ids=lambda file: file.name)
def test_the_look_asks_no_other_host_for_anything(file: Path) -> None:
    text = file.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|url\(|@import|eval\(|innerHTML", text)


def test_every_icon_that_a_page_names_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'<symbol id="(\w+)"', (STATIC / "icons.svg").read_text()))
    named = {
        name
        for file in TEMPLATES.rglob("*.html")
        for name in re.findall(r'(?:_icon.html" with name|icon|default:)="?(\w+)"', file.read_text())
    }
    named |= {icon for task in TASKS for icon in task.icons.values()}
    assert named - {"icon"} <= sprite
