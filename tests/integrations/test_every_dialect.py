"""The rules that all dialects share, each asked of every dialect (house.md 5, clarifications 1 to 5, security.md M9 to M14)."""

from __future__ import annotations

import contextlib
import re
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.test import RequestFactory

from identity import errors
from identity.models import AuditEvent
from integrations import edge, urls
from integrations.checks import leaves
from tests.integrations.descriptions import DESCRIPTIONS, Description, each_dialect

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "LOCK")
SAMPLES: dict[type[errors.DomainError], errors.DomainError] = {
    errors.TooManyAttempts: errors.TooManyAttempts(retry_after=timedelta(seconds=0.2)),
    errors.Invalid: errors.Invalid("name", fields={"name": ["Not this one."]}),
    errors.MethodUnknown: errors.MethodUnknown(allowed=["GET", "HEAD"]),
    # The partner's own word is passed on, and may be the caller's fault.
    errors.UpstreamRefused: errors.UpstreamRefused("invalid_grant"),
}
OUR_OWN = (errors.UpstreamUnavailable, errors.Unavailable)
SECRET = "a detail that is ours alone"
DEEP = b"[" * 100_000 + b"]" * 100_000
UNREADABLE = {
    "no JSON": b"{agent",
    "cut off": b'{"a": "b',
    "two values": b"{} {}",
    "a key twice": b'{"a": 1, "a": 2}',
    "too deep": b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}",
    "much too deep": DEEP,
    "a NUL": b'{"a": "\\u0000"}',
    "a NUL in a key": b'{"\\u0000": 1}',
    "half a character": b'{"a": "\\ud800"}',
    "65 bits": b'{"a": 18446744073709551616}',
    "infinity": b'{"a": 1e999}',
    "not a number": b'{"a": NaN}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "no UTF-8": b'{"a": "\xff"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
}


def test_every_dialect_that_is_written_describes_itself():
    assert {description.name for description in DESCRIPTIONS} == set(urls.MODULES)


@each_dialect
@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_address_is_404_to_every_method_and_needs_no_credential(client, db, dialect, method):
    answer = client.generic(method, dialect.unknown)

    assert answer.status_code == 404
    assert "Location" not in answer.headers
    if method != "HEAD":
        dialect.is_refusal(answer)


@each_dialect
@pytest.mark.parametrize("tail", ["/", "/%00", "/..%2f", "/%ff%fe", "/%0a", "//", "/.", ";a=b", "/ü"])
def test_an_odd_address_is_404_and_never_a_redirect(client, db, dialect, tail):
    answer = client.generic("GET", dialect.unknown + tail)

    assert answer.status_code == 404
    dialect.is_refusal(answer)


@each_dialect
@pytest.mark.parametrize("method", ["PATCH", "LOCK", "TRACE"])
def test_a_wrong_method_is_405_with_allow_before_any_credential_is_looked_at(client, db, dialect, method):
    answer = dialect.closed.send(client, method=method, headers=dialect.dead_credential)

    assert answer.status_code == 405
    assert dialect.closed.method in answer.headers["Allow"].split(", ")
    dialect.is_refusal(answer)


@each_dialect
def test_trace_is_405_at_unknown_addresses_too(client, db, dialect):
    assert client.generic("TRACE", dialect.unknown).status_code == 405


@each_dialect
def test_options_is_405_where_no_browser_of_another_origin_is_served(client, db, dialect):
    expected = 200 if dialect.answers_options else 405

    assert dialect.closed.send(client, method="OPTIONS", body=b"").status_code == expected


@each_dialect
def test_without_a_credential_it_is_401_with_a_challenge(client, db, dialect):
    for ask in (dialect.closed, dialect.read):
        answer = ask.send(client)

        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith(dialect.challenge)
        dialect.is_refusal(answer)


@each_dialect
def test_with_a_dead_credential_it_is_401_with_a_challenge(client, db, dialect):
    answer = dialect.closed.send(client, headers=dialect.dead_credential)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith(dialect.challenge)
    dialect.is_refusal(answer)


@each_dialect
def test_who_is_asking_is_settled_before_the_body_is_read(client, db, dialect):
    assert dialect.closed.send(client, body=b"{agent").status_code == 401


@each_dialect
@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE)
def test_a_body_that_cannot_be_read_is_400_and_changes_nothing(client, cast, dialect, raw):
    if not dialect.reads_json:
        raw = b"a=%00&b=" + raw
    proof = dialect.credential(client, cast)
    rows = AuditEvent.objects.count()

    answer = dialect.closed.send(client, body=raw, headers=proof)

    assert answer.status_code == 400
    assert AuditEvent.objects.count() == rows
    dialect.is_refusal(answer)


@each_dialect
@pytest.mark.parametrize("charset", ["utf-7", "utf-16", "latin-1", "nonsense", '"utf-16"'])
def test_a_foreign_charset_is_400(client, cast, dialect, charset):
    proof = dialect.credential(client, cast)

    answer = dialect.closed.send(client, media=f"{dialect.closed.media}; charset={charset}", headers=proof)

    assert answer.status_code == 400
    dialect.is_refusal(answer)


@each_dialect
@pytest.mark.parametrize("path", ["closed", "unknown"])
def test_a_body_over_a_mebibyte_is_413(client, cast, dialect, path):
    ask = dialect.closed
    where = ask.path if path == "closed" else dialect.unknown

    answer = client.generic(ask.method, where, b" " * 1_100_000, ask.media, headers=dialect.credential(client, cast))

    assert answer.status_code == 413
    dialect.is_refusal(answer)


@each_dialect
def test_a_body_of_exactly_a_mebibyte_is_read(client, cast, dialect):
    body = dialect.closed.body + b" " * (edge.LARGEST_BODY - len(dialect.closed.body))

    answer = dialect.closed.send(client, body=body, headers=dialect.credential(client, cast))

    assert answer.status_code != 413


@each_dialect
def test_a_body_whose_length_nobody_said_is_never_taken_for_an_empty_one(client, cast, dialect):
    answer = dialect.closed.send(
        client, body=b"", HTTP_TRANSFER_ENCODING="chunked", headers=dialect.credential(client, cast)
    )

    assert answer.status_code == 411
    dialect.is_refusal(answer)


@each_dialect
@pytest.mark.parametrize("length", ["-1", "x", "²"])
def test_a_length_that_is_no_number_is_400(client, cast, dialect, length):
    answer = dialect.closed.send(client, CONTENT_LENGTH=length, headers=dialect.credential(client, cast))

    assert answer.status_code == 400
    dialect.is_refusal(answer)


@each_dialect
def test_head_is_get_without_a_body(client, cast, dialect):
    proof = dialect.credential(client, cast)

    got, headed = (dialect.read.send(client, method=method, headers=proof) for method in ("GET", "HEAD"))

    assert (got.status_code, headed.status_code) == (200, 200)
    assert headed.content == b""
    assert headed.headers["Content-Type"] == got.headers["Content-Type"]


@each_dialect
def test_answers_are_never_cached_and_leave_no_referrer(client, cast, dialect):
    good = dialect.read.send(client, headers=dialect.credential(client, cast))

    for answer in (good, dialect.closed.send(client), client.get(dialect.unknown)):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Allow" not in answer.headers


@each_dialect
def test_refusals_are_in_the_vendors_words_whatever_the_browser_prefers(client, db, dialect):
    english, swedish = (
        dialect.closed.send(client, headers={"Accept-Language": language}).content for language in ("en", "sv")
    )

    assert english == swedish


@each_dialect
def test_nothing_is_acceptable_but_the_dialects_own_format(client, cast, dialect):
    proof = dialect.credential(client, cast)

    answer = dialect.read.send(client, headers={**proof, "Accept": "image/png"})

    assert answer.status_code == 200


@each_dialect
@pytest.mark.parametrize("leaf", sorted(leaves(), key=str), ids=lambda leaf: leaf.__name__)
def test_every_refusal_of_the_house_has_its_words(dialect, leaf):
    answer = answer_to(dialect, SAMPLES.get(leaf) or made(leaf))

    expected = range(502, 504) if issubclass(leaf, OUR_OWN) else range(400, 500)
    assert answer.status_code in (range(400, 504) if leaf is errors.UpstreamRefused else expected)
    assert answer.status_code != 401 or answer.headers["WWW-Authenticate"]
    assert answer.status_code != 405 or answer.headers["Allow"] == "GET, HEAD"
    assert answer.status_code != 429 or answer.headers["Retry-After"] == "1"
    assert SECRET not in answer.content.decode()


@each_dialect
def test_our_own_failure_tells_nothing_to_the_caller_and_everything_to_the_log(dialect, caplog):
    answer = answer_to(dialect, LookupError(SECRET))

    assert answer.status_code == 500
    assert SECRET not in answer.content.decode()
    assert "LookupError" not in answer.content.decode()
    assert SECRET in caplog.text


@each_dialect
def test_no_page_speaks_of_what_it_is_made_of(client, db, dialect):
    for answer in (
        dialect.closed.send(client),
        client.get(dialect.unknown),
        dialect.closed.send(client, method="LOCK"),
    ):
        assert not re.search(rb"(?i)traceback|django|rest_framework|exception", answer.content)


def made(leaf: type[errors.DomainError]) -> errors.DomainError:
    """Make a refusal of a kind; what it says is for us and must not get out."""
    for words in ((SECRET,), (SECRET, SECRET)):
        with contextlib.suppress(TypeError):
            return leaf(*words)
    return leaf()


def answer_to(dialect: Description, failure: Exception) -> Any:
    """Answer what a dialect says when an action of it fails so."""

    def fail(self: edge.DialectViewSet, request: Any) -> None:
        raise failure

    voice = import_module(f"integrations.dialects.{dialect.name}.errors")
    view = type("Failing", (edge.DialectViewSet,), {"voice": voice, "open_to_strangers": ("fail",), "fail": fail})
    answer = view.as_view({"get": "fail"})(RequestFactory().get("/"))
    return answer.render()
