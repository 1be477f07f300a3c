"""What can go wrong, as meanings; each dialect and page turns a meaning into its own words and status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta


class DomainError(Exception):
    """A refusal with a meaning. `message` is for people and never holds a secret."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message


class Unauthenticated(DomainError):
    """Who is asking was not proven."""


class CredentialMissing(Unauthenticated):
    """No credential came with the request."""


class CredentialInvalid(Unauthenticated):
    """The credential is malformed, unknown, or of another kind."""


class CredentialExpired(Unauthenticated):
    """The credential was good once and its time is over."""


class CredentialRevoked(Unauthenticated):
    """The credential was ended, or its owner may not act any more."""


class WrongCredentials(Unauthenticated):
    """Name, password or second factor do not fit; which of them is never said."""


class AmbiguousCredentials(DomainError):
    """Two credentials came at once, and whose authority counts is never guessed."""


class TooManyAttempts(DomainError):
    """Too many failures or requests; `retry_after` says for how long."""

    def __init__(self, message: str = "", *, retry_after: timedelta) -> None:
        super().__init__(message)
        self.retry_after = retry_after

    @property
    def retry_after_seconds(self) -> int:
        """Whole seconds, at least 1, as the Retry-After header wants them (RFC 9110, 10.2.3)."""
        return max(1, int(self.retry_after.total_seconds() + 0.999))


class NotAllowed(DomainError):
    """Who is asking is known and may not do this."""


class NotAllowedWhileActing(NotAllowed):
    """Nobody may do this while working as another person."""


class LoginAsRefused(NotAllowed):
    """The login-as policy says no; `rule` names the first rule that refuses."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class LoginAsActorRefused(LoginAsRefused):
    """The refusing rule concerns the one who asks: nested, second_factor or not_allowed."""


class LoginAsSubjectRefused(LoginAsRefused):
    """The refusing rule concerns the person to be worked as."""


class NotFound(DomainError):
    """It does not exist, or the asker has no business knowing that it does."""


class RouteUnknown(NotFound):
    """No such address."""


class ResetTokenInvalid(DomainError):
    """A password-reset token is unknown, used, expired, or of somebody else."""


class Spent(DomainError):
    """A thing that serves once has served; `reason` is an opaque word for the caller."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason


class Invalid(DomainError):
    """What was sent cannot be accepted.

    `fields` maps the name of a field to sentences about it; the key "" speaks of the whole.
    """

    def __init__(self, message: str = "", *, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.fields: dict[str, list[str]] = {name: list(said) for name, said in (fields or {}).items()}


class Malformed(DomainError):
    """The body cannot be read at all."""


class MethodUnknown(DomainError):
    """This address does not know the method; `allowed` are those it knows."""

    def __init__(self, message: str = "", *, allowed: Sequence[str]) -> None:
        super().__init__(message)
        self.allowed = list(allowed)


class TooLarge(DomainError):
    """The body is larger than accepted."""


class LengthMissing(DomainError):
    """The body came without a length."""


class MediaUnknown(DomainError):
    """The body's media type is not understood."""


class NotAcceptable(DomainError):
    """No answer of a kind that the asker accepts."""


class UpstreamRefused(DomainError):
    """A system that was asked on the caller's behalf refused; `error` is its own word."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class UpstreamUnavailable(DomainError):
    """A system that was asked on the caller's behalf failed or was silent."""


class Unavailable(DomainError):
    """A part of this house is down; trying again later helps."""
