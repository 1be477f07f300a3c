"""Auvious' refusals: each meaning with its status and its one sentence (dialects.md 3.2)."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from identity import errors
from integrations import edge

# None: the sentence names the fields.
Row = tuple[int, str | None]

TABLE: dict[type[errors.DomainError], Row] = {
    errors.DomainError: (400, "Bad Request"),
    errors.Unauthenticated: (401, "Unauthorized"),
    errors.AmbiguousCredentials: (401, "Unauthorized"),
    errors.NotAllowed: (403, "Forbidden"),
    errors.NotFound: (404, "Not Found"),
    errors.ResetTokenInvalid: (404, "Not Found"),
    errors.Spent: (404, "Not Found"),
    errors.Invalid: (400, None),
    errors.Malformed: (400, "The body is no JSON that is accepted"),
    errors.TooManyAttempts: (429, "Too Many Requests"),
    errors.MethodUnknown: (405, "Method Not Allowed"),
    errors.NotAcceptable: (406, "Not Acceptable"),
    errors.LengthMissing: (411, "Length Required"),
    errors.TooLarge: (413, "Payload Too Large"),
    errors.MediaUnknown: (415, "Unsupported Media Type"),
    errors.UpstreamRefused: (400, None),
    errors.UpstreamUnavailable: (502, "upstream unavailable"),
    errors.Unavailable: (503, "Service Unavailable"),
}
INTERNAL: Row = (500, "Internal Server Error")


def render(error: errors.DomainError | None, request: Request) -> Response:
    """Answer the response of a refusal; None is our own failure."""
    status, said = INTERNAL if error is None else edge.lookup(TABLE, error)
    response = Response({"error": said or _sentence(error)}, status=status)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="switchboard"'
    if isinstance(error, errors.TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.MethodUnknown):
        response.headers["Allow"] = ", ".join(error.allowed)
    return response


def _sentence(error: errors.DomainError | None) -> str:
    """Say which field is wrong and how; a partner's refusal is its own word."""
    if isinstance(error, errors.UpstreamRefused):
        return error.error or "invalid_request"
    fields = error.fields if isinstance(error, errors.Invalid) else {}
    said = [f"{name}: {' '.join(map(str, why))}".strip(": ") for name, why in sorted(fields.items())]
    return "; ".join(said) or "Bad Request"
