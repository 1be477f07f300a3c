"""Ping's refusals: `{"message"}` with the reason phrase of the status (dialects.md 2.1, clarifications 25)."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from identity import errors
from integrations import edge

CHALLENGE = 'Basic realm="Ping", charset="UTF-8"'

TABLE: dict[type[errors.DomainError], int] = {
    errors.Unauthenticated: 401,
    errors.AmbiguousCredentials: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Invalid: 400,
    errors.Malformed: 400,
    errors.ResetTokenInvalid: 400,
    errors.Spent: 400,
    errors.TooManyAttempts: 429,
    errors.MethodUnknown: 405,
    errors.NotAcceptable: 406,
    errors.LengthMissing: 411,
    errors.TooLarge: 413,
    errors.MediaUnknown: 415,
    errors.UpstreamRefused: 502,
    errors.UpstreamUnavailable: 502,
    errors.Unavailable: 503,
}
INTERNAL = 500
TEXTS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    411: "Length Required",
    413: "Payload Too Large",
    415: "Unsupported Media Type",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


def render(error: errors.DomainError | None, request: Request) -> Response:
    """Answer the response of a refusal; None is our own failure."""
    status: int = INTERNAL if error is None else edge.lookup(TABLE, error)
    response = Response({"message": TEXTS[status]}, status=status)
    if status == 401:
        response.headers["WWW-Authenticate"] = CHALLENGE
    if isinstance(error, errors.TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.MethodUnknown):
        response.headers["Allow"] = ", ".join(error.allowed)
    return response
