"""Genesys' refusals: `{"statusCode", "statusMessage"}` with the return codes of its Web Services (dialects.md 4.1, clarifications 26)."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from identity import errors
from integrations import edge

CHALLENGE = 'Basic realm="Genesys", charset="UTF-8"'
OK = 0


class ParameterMissing(errors.Invalid):
    """A parameter that the operation needs was not sent."""


class CsrfTokenWrong(errors.NotAllowed):
    """The session was opened with a token against forgery, and it did not come along."""


Row = tuple[int, int, str]

BAD_INPUT: Row = (400, 10, "Input out of range")
BROKEN: Row = (500, 4, "Internal error")
UPSTREAM: Row = (502, 4, "Bad gateway")

TABLE: dict[type[errors.DomainError], Row] = {
    ParameterMissing: (400, 1, "Missing parameter"),
    errors.Invalid: BAD_INPUT,
    errors.Malformed: BAD_INPUT,
    errors.ResetTokenInvalid: BAD_INPUT,
    errors.Spent: BAD_INPUT,
    errors.Unauthenticated: (401, 20, "Access denied"),
    errors.AmbiguousCredentials: (401, 20, "Access denied"),
    CsrfTokenWrong: (403, 3, "Missing or invalid Csrf token"),
    errors.NotAllowed: (403, 3, "Forbidden"),
    errors.NotFound: (404, 6, "Not found"),
    errors.MethodUnknown: (405, 2, "Method not allowed"),
    errors.NotAcceptable: (406, 10, "Not acceptable"),
    errors.LengthMissing: (411, 10, "Length required"),
    errors.TooLarge: (413, 10, "Payload too large"),
    errors.MediaUnknown: (415, 10, "Unsupported media type"),
    errors.TooManyAttempts: (429, 5, "Too many attempts"),
    errors.UpstreamRefused: UPSTREAM,
    errors.UpstreamUnavailable: UPSTREAM,
    errors.Unavailable: (503, 4, "Service unavailable"),
}


def render(error: errors.DomainError | None, request: Request) -> Response:
    """Answer the response of a refusal; None is our own failure."""
    status, code, message = BROKEN if error is None else edge.lookup(TABLE, error)
    response = Response({"statusCode": code, "statusMessage": message}, status=status)
    if status == 401:
        response.headers["WWW-Authenticate"] = CHALLENGE
    if isinstance(error, errors.TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.MethodUnknown):
        response.headers["Allow"] = ", ".join(error.allowed)
    return response
