"""Platform28's refusals: `{"status", "message"}`, with the sentences of its page, row by row (dialects.md 1.2)."""

from __future__ import annotations

from collections.abc import Mapping

from rest_framework.request import Request
from rest_framework.response import Response

from identity import errors

Table = Mapping[type[errors.DomainError], tuple[int, str]]

BAD_POST = (400, "Invalid request in POST body")
NO_SESSION = (404, "Specified session does not exist or the current user does not have access to it")
NO_SESSION_OR_USER = (404, "Specified session or user does not exist or the current user does not have access to it")
NO_SESSION_OR_ORG = (
    404,
    "Specified session or organization does not exist or the current user does not have access to it",
)
NO_USER = (404, "Couldn't find the specified user")
NO_USER_AND_PASSWORD = (404, "A user with the given ID and Password was not found")
BAD_TOKEN = (400, "Invalid or expired password reset token")

TABLE: Table = {
    errors.Unauthenticated: (401, "Authentication required"),
    errors.WrongCredentials: (401, "Invalid credentials"),
    errors.AmbiguousCredentials: (400, "Ambiguous credentials"),
    errors.TooManyAttempts: (429, "Too many attempts"),
    errors.NotAllowed: (403, "Not allowed"),
    errors.NotAllowedWhileActing: (403, "Not allowed while acting as another user"),
    errors.NotFound: (404, "Not found"),
    errors.ResetTokenInvalid: BAD_TOKEN,
    errors.Spent: BAD_TOKEN,
    errors.Invalid: (400, "Invalid request body"),
    errors.Malformed: (400, "Invalid request body"),
    errors.MethodUnknown: (405, "Method not allowed"),
    errors.NotAcceptable: (406, "Not acceptable"),
    errors.LengthMissing: (411, "Length required"),
    errors.TooLarge: (413, "The request body is too large"),
    errors.MediaUnknown: (415, "Unsupported media type"),
    errors.UpstreamRefused: (502, "Bad gateway"),
    errors.UpstreamUnavailable: (502, "Bad gateway"),
    errors.Unavailable: (503, "Service unavailable"),
}
BAD_BODY: Table = {errors.Invalid: BAD_POST, errors.Malformed: BAD_POST}
# What an operation says instead, by the name of its action.
ROWS: Mapping[str, Table] = {
    "sign_in": BAD_BODY,
    "block": {errors.NotFound: NO_USER},
    "unblock": {errors.NotFound: NO_USER},
    "find": {errors.NotFound: NO_SESSION},
    "end": {errors.NotFound: (404, "Couldn't find the specified login session")},
    "set_effective_user": {
        **BAD_BODY,
        errors.NotFound: NO_SESSION_OR_USER,
        # Whom the policy refuses is an unknown user, whatever the rule (dialects.md 0.7).
        errors.LoginAsRefused: NO_SESSION_OR_USER,
    },
    "end_assumed_identity": {errors.NotFound: NO_SESSION},
    "set_effective_org": {**BAD_BODY, errors.NotFound: NO_SESSION_OR_ORG},
    "end_of_user": {
        errors.NotAllowed: (403, "Current user is not authorized to logout other users"),
        errors.NotFound: NO_USER,
    },
    "clone": {errors.NotFound: NO_SESSION},
    "request_reset": BAD_BODY,
    "reset_with_token": BAD_BODY,
    "change_password": {
        errors.Unauthenticated: (401, "The current login session is invalid"),
        errors.WrongCredentials: NO_USER_AND_PASSWORD,
        errors.NotFound: NO_USER_AND_PASSWORD,
    },
}
# What is wrong with a request for a reset, by the field that the domain names; nothing of it depends on who exists.
WRONG_FIELD = {
    "template": "Unknown template",
    "page": "Reset page URL is not allowed",
    "userId": "One user id or email address is required",
}
ACCESS_FAILED = "Server error while trying to access the session"
TERMINATION_FAILED = "Server error while trying to terminate the session"
FAILURES = {
    **dict.fromkeys(
        ("find", "set_effective_user", "end_assumed_identity", "set_effective_org", "clone"), ACCESS_FAILED
    ),
    **dict.fromkeys(("end", "end_of_user"), TERMINATION_FAILED),
}


def render(error: errors.DomainError | None, request: Request) -> Response:
    """Answer the response of a refusal in the words of the operation that was asked for; None is our own failure."""
    action = getattr((request.parser_context or {}).get("view"), "action", None) or ""
    status, message = (500, FAILURES.get(action, "Server error")) if error is None else _row(error, action)
    if isinstance(error, errors.Invalid) and action == "request_reset":
        message = next((said for field, said in WRONG_FIELD.items() if field in error.fields), message)
    response = Response({"status": status, "message": message}, status=status)
    if status == 401:
        response.headers["WWW-Authenticate"] = "LSID"
    if isinstance(error, errors.TooManyAttempts):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.MethodUnknown):
        response.headers["Allow"] = ", ".join(error.allowed)
    return response


def _row(error: errors.DomainError, action: str) -> tuple[int, str]:
    """The operation's own sentence for an error or its nearest ancestor, before the common one."""
    tables = (ROWS.get(action, {}), TABLE)
    return next(table[kind] for table in tables for kind in type(error).__mro__ if kind in table)
