"""The OpenAPI documents and their page (clarifications 41 and 61)."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from config import schema
from integrations import urls
from integrations.dialects import DIALECTS
from tests.browsers import Browser

JSON = {"Accept": "application/json"}


def document(client, dialect: str = "") -> dict:
    answer = client.get(f"/schema/{dialect}/" if dialect else "/schema/", headers=JSON)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    return dict(answer.json())


@pytest.mark.parametrize("dialect", ["", *DIALECTS])
def test_every_document_is_valid_and_made_without_a_warning(client, db, dialect, capsys):
    said = document(client, dialect)

    validate_schema(said)
    assert said["openapi"].startswith("3.")
    assert capsys.readouterr().err == ""


def test_the_whole_document_has_the_operations_of_all_dialects(client, db):
    whole = {(path, method) for path, methods in document(client)["paths"].items() for method in methods}

    parts = [document(client, dialect)["paths"] for dialect in urls.MODULES]

    assert whole == {(path, method) for part in parts for path, methods in part.items() for method in methods}


def test_an_operation_says_what_goes_in_and_out_and_who_may(client, db):
    paths = document(client, "denovolab")["paths"]

    operation = paths["/v1/auth/as_agent"]["post"]
    assert operation["security"] == [{"X-Auth-Token": []}]
    assert operation["tags"] == ["denovolab"]
    assert set(operation["responses"]) == {"200", "400", "401", "404"}
    assert "security" not in paths["/v1/auth"]["post"] or paths["/v1/auth"]["post"]["security"] == []


def test_what_is_answered_is_what_the_document_says(client, cast):
    said = document(client, "denovolab")
    body = {"email_or_name": "bob", "password": cast.password("bob")}

    answer = client.post("/v1/auth", body, content_type="application/json").json()

    shape = {"$ref": "#/components/schemas/DenovolabAuthToken", "components": said["components"]}
    user = said["components"]["schemas"]["DenovolabUserOut"]["properties"]
    assert list(answer["payload"]["user"]) == list(user)
    assert not list(Draft202012Validator(_plain(shape)).iter_errors(answer))


def test_yaml_is_there_for_who_asks_for_nothing_else(client, db):
    assert client.get("/schema/denovolab/").content.startswith(b"openapi: 3.")


def test_the_page_needs_one_style_hash_and_no_more(client, db):
    answer = client.get("/docs/")

    styles = re.findall(rb"<style>(.*?)</style>", answer.content, re.S)
    hashes = ["'sha256-" + base64.b64encode(hashlib.sha256(style).digest()).decode() + "'" for style in styles]
    assert hashes == [schema.SWAGGER_STYLE]
    assert f"style-src 'self' {schema.SWAGGER_STYLE}" in answer.headers["Content-Security-Policy"]
    assert not re.search(rb"<script>|\sstyle=|\son\w+=", answer.content)


@pytest.mark.parametrize("address", ["/schema/", "/schema/denovolab/", "/docs/"])
def test_in_production_a_portal_login_is_needed(cast, settings, address):
    settings.PORTAL_ENV = "production"
    browser = Browser()

    answer = browser.get(address)
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/login/?next={address}")
    browser.sign_in(cast, "bob")
    assert browser.get(address).status_code == 200


@pytest.mark.parametrize("query", ["lang=%00", "lang=../../x", "format=nope", "version=%00", "script=%00"])
def test_odd_questions_are_no_failures(client, db, query):
    for address in ("/schema/denovolab/", "/docs/"):
        assert client.get(f"{address}?{query}").status_code < 500


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"])
def test_the_page_is_only_read(client, db, method):
    assert client.generic(method, "/docs/").status_code == 405


def _plain(value):
    """Answer an OpenAPI 3.0 shape as JSON Schema: `nullable` is a type more."""
    if isinstance(value, dict):
        made = {name: _plain(inner) for name, inner in value.items()}
        return {"anyOf": [made, {"type": "null"}]} if made.pop("nullable", False) else made
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
