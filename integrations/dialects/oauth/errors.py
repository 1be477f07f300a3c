"""OAuth's refusals: each meaning with its status and the error code of RFC 6749, 5.2, or of RFC 6750, 3.1 for bearers."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from identity import errors
from integrations import edge

REALM = 'realm="switchboard"'


class UnsupportedGrant(errors.Invalid):
    """The grant type is none of ours (RFC 6749, 5.2)."""


class TargetUnknown(errors.NotFound):
    """The person to be worked as does not exist here (RFC 8693, 2.2.2)."""


class PublicClient(errors.Unauthenticated):
    """A client without a secret asks where a confidential one is needed (RFC 7662, 2.1)."""


class TokenInvalid(errors.Unauthenticated):
    """A bearer token is missing or does not hold (RFC 6750, 3.1)."""


# Status, error, and a description that never repeats what was sent; None: the error's own words.
Row = tuple[int, str, str | None]

TABLE: dict[type[errors.DomainError], Row] = {
    errors.DomainError: (400, "invalid_request", "The request cannot be served"),
    errors.Unauthenticated: (401, "invalid_client", "The client is not known, or its secret is wrong"),
    errors.CredentialMissing: (401, "invalid_client", "Client authentication is needed"),
    errors.WrongCredentials: (401, "invalid_client", "The client is not known, or its secret is wrong"),
    TokenInvalid: (401, "invalid_token", "The access token is missing, expired, revoked or malformed"),
    # The grant does not hold; the words are those that Auvious' programs show for a ticket (dialects.md 3.0).
    errors.CredentialInvalid: (400, "invalid_grant", "NOT_FOUND"),
    errors.CredentialExpired: (400, "invalid_grant", "EXPIRED"),
    errors.CredentialRevoked: (400, "invalid_grant", "REVOKED"),
    errors.NotFound: (400, "invalid_grant", "NOT_FOUND"),
    errors.Spent: (400, "invalid_grant", "NOT_FOUND"),
    errors.ResetTokenInvalid: (400, "invalid_grant", "NOT_FOUND"),
    errors.AmbiguousCredentials: (400, "invalid_request", "The client authenticates in two ways at once"),
    errors.TooManyAttempts: (429, "temporarily_unavailable", "Too many attempts"),
    errors.NotAllowed: (400, "unauthorized_client", "The client may not use this grant"),
    errors.LoginAsActorRefused: (400, "invalid_grant", "The actor may not work as somebody else"),
    errors.LoginAsSubjectRefused: (400, "invalid_target", "The actor may not work as this person"),
    TargetUnknown: (400, "invalid_target", "The actor may not work as this person"),
    UnsupportedGrant: (400, "unsupported_grant_type", "The grant type is not known"),
    errors.Invalid: (400, "invalid_request", None),
    errors.Malformed: (400, "invalid_request", "The form cannot be read, or repeats a parameter"),
    errors.MediaUnknown: (400, "invalid_request", "The body must be application/x-www-form-urlencoded"),
    errors.RouteUnknown: (404, "not_found", "No such address"),
    errors.MethodUnknown: (405, "invalid_request", "This address does not know the method"),
    errors.NotAcceptable: (406, "invalid_request", "Answers are application/json"),
    errors.LengthMissing: (411, "invalid_request", "The body needs a Content-Length"),
    errors.TooLarge: (413, "invalid_request", "The body is too large"),
    errors.UpstreamRefused: (502, "temporarily_unavailable", "Another system failed"),
    errors.UpstreamUnavailable: (502, "temporarily_unavailable", "Another system failed"),
    errors.Unavailable: (503, "temporarily_unavailable", "Try again later"),
}
INTERNAL: Row = (500, "server_error", "Something went wrong here")


def render(error: errors.DomainError | None, request: Request) -> Response:
    """Answer the response of a refusal; None is our own failure."""
    status, code, said = INTERNAL if error is None else edge.lookup(TABLE, error)
    if isinstance(error, errors.Spent) and error.reason == "disabled":
        said = "DISABLED"
    response = Response({"error": code, "error_description": said or _sentence(error)}, status=status)
    response.headers["Pragma"] = "no-cache"
    if status == 401:
        response.headers["WWW-Authenticate"] = _challenge(code)
    if isinstance(error, errors.TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.MethodUnknown):
        response.headers["Allow"] = ", ".join(error.allowed)
    return response


def _challenge(code: str) -> str:
    return f'Bearer {REALM}, error="{code}"' if code == "invalid_token" else f"Basic {REALM}"


def _sentence(error: errors.DomainError | None) -> str:
    """Name the parameters that are wrong, and nothing of what they held."""
    names = sorted(name for name in error.fields if name) if isinstance(error, errors.Invalid) else []
    return f"Missing or malformed: {', '.join(names)}" if names else "The request cannot be served"
