"""Denovolab's refusals: each meaning with its status and body, in the seed's order of keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from identity import errors
from integrations import edge

SCHEME = 'X-Auth-Token realm="switchboard"'

Row = tuple[int, Callable[[Any], dict[str, Any]]]


def unauthenticated(code: int, reason: str, message: str) -> Row:
    """A refused token (dialects.md 5.1)."""
    return 401, lambda _: {
        "error_type": "unauthenticated_error",
        "success": False,
        "error": {"message": message, "code": code, "reason": reason},
    }


def operation(status: int, code: int, reason: str, message: str) -> Row:
    """A refused operation, a wrong sign-in among them."""
    return status, lambda _: {
        "success": False,
        "error_type": "operation_error",
        "error": {"message": message, "code": code, "reason": reason},
    }


def not_found() -> Row:
    """One body for everything that is not there."""
    return 404, lambda _: {"error_type": "Object not found error", "success": False}


def validation(errors_of: Callable[[Any], dict[str, list[str]]]) -> Row:
    """One object per field, in the words of the library whose sentence the seed shows."""
    return 400, lambda error: {
        "error_type": "validation_error",
        "success": False,
        "errors": [{field: said} for field, said in errors_of(error).items()],
    }


def _fields(error: errors.Invalid) -> dict[str, list[str]]:
    """The whole body is spoken of only when it is no object."""
    fields = {name: [str(sentence) for sentence in said] for name, said in error.fields.items() if name}
    return fields or {"_schema": ["Invalid input type."]}


NOT_ADMIN = unauthenticated(114, "admin_token_required", "An admin token is required")
NO_JSON = validation(lambda _: {"_schema": ["Invalid JSON body."]})

TABLE: dict[type[errors.DomainError], Row] = {
    errors.Unauthenticated: unauthenticated(111, "auth_token_invalid", "The auth token is invalid"),
    errors.CredentialMissing: unauthenticated(110, "auth_token_not_provided", "No header X-Auth-Token present"),
    errors.CredentialInvalid: unauthenticated(111, "auth_token_invalid", "The auth token is invalid"),
    errors.CredentialExpired: unauthenticated(112, "auth_token_expired", "The auth token has expired"),
    errors.CredentialRevoked: unauthenticated(113, "auth_token_revoked", "The auth token was revoked"),
    errors.WrongCredentials: operation(401, 100, "invalid_credentials", "Invalid credentials"),
    errors.AmbiguousCredentials: unauthenticated(111, "auth_token_invalid", "The auth token is invalid"),
    errors.NotAllowed: NOT_ADMIN,
    errors.LoginAsSubjectRefused: not_found(),
    errors.NotFound: not_found(),
    errors.ResetTokenInvalid: not_found(),
    errors.Spent: not_found(),
    errors.Invalid: validation(_fields),
    errors.Malformed: NO_JSON,
    errors.TooManyAttempts: operation(429, 101, "too_many_attempts", "Too many attempts"),
    errors.MethodUnknown: operation(405, 405, "method_not_allowed", "Method not allowed"),
    errors.NotAcceptable: operation(406, 406, "not_acceptable", "Not acceptable"),
    errors.LengthMissing: operation(411, 411, "length_required", "Length required"),
    errors.TooLarge: operation(413, 413, "payload_too_large", "Payload too large"),
    errors.MediaUnknown: operation(415, 415, "unsupported_media_type", "Unsupported media type"),
    errors.UpstreamRefused: operation(502, 502, "bad_gateway", "Bad gateway"),
    errors.UpstreamUnavailable: operation(502, 502, "bad_gateway", "Bad gateway"),
    errors.Unavailable: operation(503, 503, "service_unavailable", "Service unavailable"),
}
INTERNAL: Row = operation(500, 500, "internal_error", "Internal error")


def render(error: errors.DomainError | None, request: Request) -> Response:
    """Answer the response of a refusal; None is our own failure."""
    status, body = INTERNAL if error is None else edge.lookup(TABLE, error)
    response = Response(body(error), status=status)
    if status == 401:
        response.headers["WWW-Authenticate"] = SCHEME
    if isinstance(error, errors.TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.MethodUnknown):
        response.headers["Allow"] = ", ".join(error.allowed)
    return response
