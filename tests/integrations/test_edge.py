"""What all dialects share, where no dialect shows it: strict readers and the framework's refusals as meanings."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from django.http.request import UnreadablePostError
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from identity import errors
from identity.errors import Malformed
from integrations import edge

printable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
leaf = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | printable
)
tree = st.recursive(
    leaf, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(printable, inner, max_size=4), max_leaves=20
)


# --- JSON ------------------------------------------------------------------------------------------------------------
@given(tree)
def test_whatever_is_fit_to_be_read_is_read_as_it_was_written(value):
    assert edge.read_json(json.dumps(value).encode()) == value
    assert edge.read_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=60))
def test_bytes_are_read_or_refused_and_never_anything_else(raw):
    try:
        edge.read_json(raw)
    except Malformed:
        return


@pytest.mark.parametrize("raw", [b"", b"  \r\n\t "])
def test_nothing_is_an_empty_object(raw):
    assert edge.read_json(raw) == {}


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63)])
def test_integers_have_sixty_four_bits(number):
    assert edge.read_json(str(number).encode()) == number
    with pytest.raises(Malformed):
        edge.read_json(str(number * 2).encode())


def test_a_number_of_a_million_digits_is_refused_without_being_computed():
    with pytest.raises(Malformed):
        edge.read_json(b"9" * 1_000_000)


def test_thirty_two_levels_are_read_and_one_more_is_not():
    assert edge.read_json(b"[" * 32 + b"]" * 32)
    with pytest.raises(Malformed):
        edge.read_json(b"[" * 33 + b"]" * 33)


def test_a_thousand_keys_are_read_and_one_more_is_not():
    def wide(n: int) -> bytes:
        return json.dumps({str(key): 0 for key in range(n)}).encode()

    assert len(edge.read_json(wide(1000))) == 1000
    with pytest.raises(Malformed):
        edge.read_json(wide(1001))


@pytest.mark.parametrize(
    "media",
    ["", "application/json", "application/json; charset=UTF-8", 'application/json;charset="utf8"', "a/b; boundary=x"],
)
def test_utf_8_may_be_named_in_any_spelling(media):
    assert edge.read_json(b"1", content_type=media) == 1


# --- forms and queries -----------------------------------------------------------------------------------------------
def test_a_form_is_read_with_empty_fields():
    assert edge.read_form(b"a=1&b=&c=%C3%A5+%2B") == {"a": "1", "b": "", "c": "å +"}
    assert edge.read_form(b"") == {}


@pytest.mark.parametrize(
    "raw",
    [
        b"a=1&a=1",
        b"a=1&a=2",
        b"a=%00",
        b"%00=a",
        b"a=%ff",
        b"a=\xc3\xa5",
        b"&".join([b"a%d=1" % n for n in range(201)]),
    ],
)
def test_a_form_that_could_be_read_in_two_ways_is_refused(raw):
    with pytest.raises(Malformed):
        edge.read_form(raw)


def test_a_query_is_read_as_strictly():
    def read(query: str) -> dict[str, str]:
        return edge.read_query(Request(RequestFactory().get(f"/?{query}")))

    assert read("a=1&b=%C3%A5") == {"a": "1", "b": "å"}
    for bad in ("a=1&a=2", "a=%00"):
        with pytest.raises(Malformed):
            read(bad)


@pytest.mark.parametrize(
    ("parser", "media", "takes"),
    [
        (edge.StrictJson, "application/json", True),
        (edge.StrictJson, "Application/JSON; charset=utf-8", True),
        (edge.StrictJson, "application/json1", False),
        (edge.StrictJson, "", False),
        (edge.AnyJson, "", True),
        (edge.AnyJson, "application/x-www-form-urlencoded", True),
        (edge.StrictForm, "application/x-www-form-urlencoded; charset=utf-8", True),
        (edge.StrictForm, "multipart/form-data; boundary=x", False),
    ],
)
def test_a_parser_says_which_media_types_it_takes(parser, media, takes):
    assert parser().takes(media) is takes


# --- a view of no dialect --------------------------------------------------------------------------------------------
class Greeting(edge.Input):
    theirs = serializers.CharField(source="ours")


class Echo(edge.DialectViewSet):
    """Repeats what it was sent."""

    voice = SimpleNamespace(  # type: ignore[assignment]
        render=lambda error, request: Response({"refused": type(error).__name__}, status=418)
    )
    open_to_strangers = ("repeat",)
    parser_classes = [edge.StrictJson, edge.StrictForm]

    def repeat(self, request: Request) -> Response:
        return Response(Greeting.read(request))

    def closed(self, request: Request) -> Response:
        return Response({})


echo = Echo.as_view({"post": "repeat", "get": "closed"})


def sent(raw: bytes, media: str, **more: str) -> object:
    return echo(RequestFactory().generic("POST", "/", raw, media, **more)).data


def test_a_body_is_read_by_the_parser_of_its_media_type_into_our_words():
    assert sent(b'{"theirs": "hello"}', "application/json") == {"ours": "hello"}
    assert sent(b"theirs=hello", "application/x-www-form-urlencoded") == {"ours": "hello"}


def test_a_media_type_that_nobody_takes_is_refused():
    assert sent(b"<a/>", "text/xml") == {"refused": "MediaUnknown"}


def test_an_action_is_closed_unless_it_is_named_as_open():
    assert echo(RequestFactory().get("/")).data == {"refused": "CredentialMissing"}


def test_an_empty_form_lacks_its_fields():
    assert sent(b"", "application/x-www-form-urlencoded") == {"refused": "Invalid"}


def test_by_which_way_a_request_came():
    request = RequestFactory().get("/", headers={"User-Agent": "x" * 400})
    request.client_address, request.id = "192.0.2.7", "n" * 32

    way = edge.way(request, door="test")

    assert (way.door, way.address, way.request_id) == ("test", "192.0.2.7", "n" * 32)
    assert way.user_agent == "x" * 300


def test_more_than_sixty_four_mebibytes_are_not_even_read_away():
    class Endless:
        read_so_far = 0

        def read(self, size: int) -> bytes:
            self.read_so_far += size
            return b" " * size

    request = RequestFactory().post("/", content_type="application/json")
    endless = request.META["wsgi.input"] = Endless()
    request.META["CONTENT_LENGTH"] = str(10 * edge.LARGEST_DRAINED)

    assert echo(request).data == {"refused": "TooLarge"}
    assert endless.read_so_far == edge.LARGEST_DRAINED


# --- meanings --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("failure", "meaning"),
    [
        (errors.Spent("x"), errors.Spent),
        (Http404("x"), errors.NotFound),
        (exceptions.NotFound(), errors.NotFound),
        (exceptions.ParseError(), errors.Malformed),
        (UnreadablePostError("x"), errors.Malformed),
        (BadRequest("x"), errors.Malformed),
        (RequestDataTooBig("x"), errors.TooLarge),
        (SuspiciousOperation("x"), errors.Malformed),
        (exceptions.UnsupportedMediaType("x/y"), errors.MediaUnknown),
        (exceptions.NotAcceptable(), errors.NotAcceptable),
        (exceptions.NotAuthenticated(), errors.CredentialMissing),
        (exceptions.AuthenticationFailed(), errors.CredentialInvalid),
        (exceptions.PermissionDenied(), errors.NotAllowed),
        (PermissionDenied("x"), errors.NotAllowed),
        (OperationalError("x"), errors.Unavailable),
        (exceptions.Throttled(), type(None)),
        (KeyError("x"), type(None)),
    ],
)
def test_the_frameworks_refusals_have_meanings_and_the_unforeseen_has_none(failure, meaning):
    assert type(edge.as_domain_error(failure)) is meaning


def test_a_validation_error_keeps_its_fields_and_sentences():
    nested = {"a": ["one", "two"], "b": {"c": ["three"]}, "d": [{}, {"e": ["four"]}], "non_field_errors": ["five"]}

    error = edge.as_domain_error(exceptions.ValidationError(nested))
    whole = edge.as_domain_error(exceptions.ValidationError(["six"]))

    assert isinstance(error, errors.Invalid)
    assert error.fields == {"a": ["one", "two"], "b": ["three"], "d": ["four"], "": ["five"]}
    assert isinstance(whole, errors.Invalid)
    assert whole.fields == {"": ["six"]}


def test_a_row_is_the_refusals_own_or_its_nearest_ancestors():
    table = {errors.Unauthenticated: "far", errors.CredentialExpired: "own", errors.DomainError: "any"}

    assert edge.lookup(table, errors.CredentialExpired()) == "own"
    assert edge.lookup(table, errors.CredentialInvalid()) == "far"
    assert edge.lookup(table, errors.Malformed()) == "any"


def test_nothing_but_a_status():
    assert (edge.empty().status_code, edge.empty(202).status_code, edge.empty().data) == (204, 202, None)
