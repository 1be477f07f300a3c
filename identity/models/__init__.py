"""The tables of identity, a file per concept."""

from identity.models.audit import AuditEvent, AuditSeal
from identity.models.client import ApiKey, Application, Client, ClientSecret, ClientUse
from identity.models.factor import BackupCode, TotpDevice
from identity.models.key import Key, SigningKey
from identity.models.limit import Counter, IdempotencyKey
from identity.models.organization import Membership, Organization
from identity.models.outbox import OutboxMessage
from identity.models.session import AuthorizationCode, LoginAs, RefreshToken, Session
from identity.models.user import User
from identity.models.verification import OtpVerification, PasswordReset, PrefixPause

__all__ = [
    "ApiKey",
    "Application",
    "AuditEvent",
    "AuditSeal",
    "AuthorizationCode",
    "BackupCode",
    "Client",
    "ClientSecret",
    "ClientUse",
    "Counter",
    "IdempotencyKey",
    "Key",
    "LoginAs",
    "Membership",
    "Organization",
    "OtpVerification",
    "OutboxMessage",
    "PasswordReset",
    "PrefixPause",
    "RefreshToken",
    "Session",
    "SigningKey",
    "TotpDevice",
    "User",
]
