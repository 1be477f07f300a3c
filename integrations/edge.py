"""What all dialects share: strict bodies in, one error hook, closed doors by default (house.md 5)."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, ClassVar, NoReturn, cast
from urllib.parse import parse_qsl

from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponseBase
from django.http.request import QueryDict, UnreadablePostError
from django.utils import translation
from rest_framework import exceptions, serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from identity import errors
from identity.principal import Principal, Via

logger = logging.getLogger(__name__)

LARGEST_BODY = 1_048_576
# A body over the limit is read away up to here, so that the sender gets to see the answer.
LARGEST_DRAINED = 64 * LARGEST_BODY
DEEPEST = 32
MOST_KEYS = 1000
MOST_FIELDS = 200
CHUNK = 65_536


class AnyAccept(BaseContentNegotiation):
    """Answers in the dialect's one format, whatever the Accept header asks for."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return next((p for p in parsers if p.takes(request.content_type)), None)


class StrictJson(BaseParser):
    """Reads JSON as clarifications 3 wants it; other media types are not taken."""

    media_type = "application/json"

    def takes(self, content_type: str) -> bool:
        return content_type.split(";")[0].strip().lower() == "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return read_json(stream.read(), content_type=media_type or "")


class AnyJson(StrictJson):
    """Reads JSON under any media type, for partners whose own examples send another one (dialects.md 0.2, rows 3 and 4)."""

    media_type = "*/*"

    def takes(self, content_type: str) -> bool:
        return True


class StrictForm(BaseParser):
    """Reads application/x-www-form-urlencoded; a repeated field is refused, never one of them chosen."""

    media_type = "application/x-www-form-urlencoded"

    def takes(self, content_type: str) -> bool:
        return content_type.split(";")[0].strip().lower() == self.media_type

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return read_form(stream.read(), content_type=media_type or "")


class Input(serializers.Serializer[Any]):
    """What an operation reads from a body: their field on the left, our word in `source=`."""

    @classmethod
    def read(cls, request: Request, **context: Any) -> dict[str, Any]:
        """Answer the validated values under our words. Raises Invalid with the fields' sentences."""
        # DRF hands an empty QueryDict over for an empty body that calls itself a form; a parser of ours never makes one.
        return cls.of({} if isinstance(request.data, QueryDict) else request.data, **context)

    @classmethod
    def of(cls, data: Any, **context: Any) -> dict[str, Any]:
        """Answer the validated values of any mapping, as of a query. Raises Invalid."""
        reader = cls(data=data, context=context)
        reader.is_valid(raise_exception=True)
        values: dict[str, Any] = reader.validated_data
        return values


class Asked(Request):
    """A request as a DialectViewSet hands it to an action.

    `principal` is who asks (of a stranger's action: None), `claims` what their signed token says, where they have one.
    """

    principal: Any
    claims: dict[str, Any]


class DialectViewSet(ViewSet):
    """A resource of a dialect.

    Closed unless a Principal was proven or the action is named in `open_to_strangers`. `voice` is the dialect's errors module:
    `render(error, request)` makes a response of a DomainError, or of None for our own failure. Refusals come in the order of
    clarifications 2: method and size first, then 401, then a body that cannot be read, then whatever the action says.
    """

    voice: ModuleType
    door: str
    open_to_strangers: tuple[str, ...] = ()
    parser_classes = [StrictJson]
    content_negotiation_class = AnyAccept
    permission_classes: ClassVar[list[Any]] = []  # type: ignore[misc]  # asked below, after the credential is looked at
    action_map: dict[str, str]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Speak as the vendor does: the words of a wire are no translation, whatever the browser prefers."""
        with translation.override("en"):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse in the order of the contract; an unmapped method before anything else is looked at (clarifications 56)."""
        if (request.method or "").lower() not in self.action_map:
            raise errors.MethodUnknown(allowed=self.allowed_methods)
        check_framing(request)
        cast(Asked, request).principal = self.prove(request)
        if request.method not in ("GET", "HEAD"):
            request.data  # noqa: B018  # parsed here, so that an unreadable body is refused before the action's own rules
        super().initial(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        """Done in `initial`, before the body is parsed."""

    def prove(self, request: Request) -> Principal | None:
        """Answer who is asking, or None where the action is open to strangers."""
        if self.action in self.open_to_strangers:
            return None
        principal = request.auth
        if not isinstance(principal, Principal):
            raise errors.CredentialMissing("no credential")
        return principal

    @property
    def allowed_methods(self) -> list[str]:
        return sorted(method.upper() for method in self.action_map)

    @property
    def default_response_headers(self) -> dict[str, str]:
        """Nothing: `Allow` belongs to a 405, and there is one representation, which does not vary."""
        return {}

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        return self._render_error

    def _render_error(self, exception: Exception, context: dict[str, Any]) -> Response:
        error = as_domain_error(exception)
        if error is None:
            logger.error("unexpected failure", exc_info=exception, extra={"view": type(self).__name__})
        elif isinstance(error, errors.Unavailable):
            logger.warning("the database refused", exc_info=exception, extra={"view": type(self).__name__})
        response: Response = self.voice.render(error, context["request"])
        return response

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        # Every answer may carry a credential or a person's data (clarifications 5); nothing of it belongs into a cache or a Referer.
        final.headers.setdefault("Cache-Control", "no-store")
        final.headers["Referrer-Policy"] = "no-referrer"
        return final


class Nowhere(DialectViewSet):
    """Answers for every address below a dialect's prefix that nothing else serves: 404, whatever the method but TRACE."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> NoReturn:
        if request.method == "TRACE":
            raise errors.MethodUnknown(allowed=self.allowed_methods)
        check_framing(request)
        raise errors.RouteUnknown("no such address")


METHODS = ("get", "head", "post", "put", "patch", "delete")


def nowhere(voice: ModuleType, **attributes: Any) -> Callable[..., HttpResponseBase]:
    """Answer the view that ends a dialect's prefix; `voice` is the dialect's errors module."""
    view = type("Nowhere", (Nowhere,), {"voice": voice, **attributes})
    made: Callable[..., HttpResponseBase] = view.as_view(dict.fromkeys(METHODS, "initial"))  # type: ignore[attr-defined]
    return made


def way(request: Request | HttpRequest, *, door: str) -> Via:
    """Answer by which way a request came."""
    return Via(
        door=door,
        address=getattr(request, "client_address", "") or "",
        user_agent=request.headers.get("User-Agent", "")[:300],
        request_id=getattr(request, "id", ""),
    )


def check_framing(request: Request) -> None:
    """Refuse a body that is too large, or whose length nobody said. Raises TooLarge, LengthMissing, Malformed."""
    said = request.META.get("CONTENT_LENGTH") or ""
    if not said and request.META.get("HTTP_TRANSFER_ENCODING"):
        # WSGI hands us an empty body here; taking it for one would skip steps (security.md M13).
        raise errors.LengthMissing("a length is needed")
    if said and not (said.isascii() and said.isdigit()):
        raise errors.Malformed("the length is no number")
    if said and int(said) > LARGEST_BODY:
        _drain(request, int(said))
        raise errors.TooLarge("the body is too large")


def read_json(raw: bytes, *, content_type: str = "") -> Any:
    """Read JSON strictly: UTF-8, no byte order mark, depth at most 32, no duplicate keys, finite numbers, 64-bit integers, no NUL
    and no lone surrogate in any string (clarifications 3 and 73). An empty body is an empty object. Raises Malformed.
    """
    _check_charset(content_type)
    if not raw.strip():
        return {}
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
        )
    except (ValueError, RecursionError) as e:
        raise errors.Malformed("the body is no JSON that we take") from e
    _check_tree(value)
    return value


def read_query(request: Request) -> dict[str, str]:
    """Read the query of an address: no name twice, no NUL and no half character. Raises Malformed."""
    return _unambiguous([(name, value) for name, values in request.query_params.lists() for value in values])


def read_form(raw: bytes, *, content_type: str = "") -> dict[str, str]:
    """Read a form strictly: ASCII with UTF-8 behind its escapes, no field twice, no NUL. Raises Malformed."""
    _check_charset(content_type)
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError as e:
        raise errors.Malformed("the form cannot be read") from e
    return _unambiguous(pairs)


def as_domain_error(exception: Exception) -> errors.DomainError | None:
    """Turn the framework's refusals into meanings; None for what nobody foresaw."""
    if isinstance(exception, errors.DomainError):
        return exception
    if isinstance(exception, exceptions.ValidationError):
        return errors.Invalid("invalid", fields=_fields(exception.detail))
    for kinds, leaf in _LEAVES:
        if isinstance(exception, kinds):
            return leaf(str(exception)[:200])
    return None


_LEAVES: tuple[tuple[tuple[type[Exception], ...], type[errors.DomainError]], ...] = (
    ((Http404, exceptions.NotFound), errors.NotFound),
    ((exceptions.ParseError, UnreadablePostError, BadRequest), errors.Malformed),
    ((RequestDataTooBig,), errors.TooLarge),
    ((SuspiciousOperation,), errors.Malformed),
    ((exceptions.UnsupportedMediaType,), errors.MediaUnknown),
    ((exceptions.NotAcceptable,), errors.NotAcceptable),
    ((exceptions.NotAuthenticated,), errors.CredentialMissing),
    ((exceptions.AuthenticationFailed,), errors.CredentialInvalid),
    ((exceptions.PermissionDenied, PermissionDenied), errors.NotAllowed),
    ((OperationalError,), errors.Unavailable),
)


def lookup(table: Mapping[type[errors.DomainError], Any], error: errors.DomainError) -> Any:
    """Answer a dialect's row for an error: its own, or its nearest ancestor's."""
    return next(table[kind] for kind in type(error).__mro__ if kind in table)


def _fields(detail: Any) -> dict[str, list[str]]:
    if isinstance(detail, dict):
        return {("" if name == "non_field_errors" else str(name)): _sentences(said) for name, said in detail.items()}
    return {"": _sentences(detail)}


def _sentences(said: Any) -> list[str]:
    """Flatten nested refusals; every sentence keeps DRF's code (`.code`) for dialects that word it themselves."""
    if isinstance(said, dict):
        return [one for inner in said.values() for one in _sentences(inner)]
    if isinstance(said, list):
        return [one for inner in said for one in _sentences(inner)]
    return [said]


def _drain(request: Request, said: int) -> None:
    stream, left = request._request.META["wsgi.input"], min(said, LARGEST_DRAINED)
    while left > 0 and (chunk := stream.read(min(CHUNK, left))):
        left -= len(chunk)


def _check_charset(content_type: str) -> None:
    if _charset(content_type) not in ("", "utf-8", "utf8"):
        raise errors.Malformed("the charset is not UTF-8")


def _charset(content_type: str) -> str:
    for part in content_type.split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs) or len(made) > MOST_KEYS:
        raise ValueError("a key is repeated, or there are too many")
    return made


def _integer(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**63:
        raise ValueError("an integer beyond 64 bits")
    return int(digits)


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number that is not finite")
    return number


def _constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, str]:
    if len({name for name, _ in pairs}) != len(pairs) or any(_is_broken(text) for pair in pairs for text in pair):
        raise errors.Malformed("a field is repeated, or holds a NUL or half a character")
    return dict(pairs)


def _is_broken(text: str) -> bool:
    """Say whether a database would choke on a text (security.md M9 and M10)."""
    return "\0" in text or any("\ud800" <= c <= "\udfff" for c in text)


def _check_tree(value: Any) -> None:
    """Walk without recursion: what is being checked is, among other things, the depth."""
    left: list[tuple[Any, int]] = [(value, 1)]
    while left:
        one, depth = left.pop()
        if isinstance(one, str) and _is_broken(one):
            raise errors.Malformed("a text holds a NUL or half a character")
        if isinstance(one, dict | list):
            if depth > DEEPEST:
                raise errors.Malformed("nested too deeply")
            inner = [*one, *one.values()] if isinstance(one, dict) else one
            left.extend((item, depth + 1) for item in inner)


def empty(status: int = 204) -> Response:
    """Answer nothing but a status."""
    return Response(status=status)
