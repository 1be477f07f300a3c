"""People."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.translation import gettext_lazy as _

from identity import clock, crypto
from identity.models.organization import Organization

SEEN_EVERY = timedelta(seconds=60)


def key_of(name: str) -> str:
    """Answer the form in which names and addresses are compared: NFKC, case-folded, outer spaces off (clarifications 49)."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).strip().casefold())


class UserManager(BaseUserManager["User"]):
    """Makes people for Django's own commands; the product makes them with identity.users."""

    def create_superuser(self, username: str, email: str, password: str | None = None, **fields: Any) -> User:
        """Make an operator: all of /admin/, no organisation, no dialect session."""
        user = self.model(username=username, email=email, is_superuser=True, **fields)
        user.set_password(password)
        user.save()
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get(username_key=key_of(username or ""))


class User(AbstractBaseUser):  # type: ignore[django-manager-missing]  # of django-otp, which ships no types
    """A person with one password, one state, and memberships in organisations.

    `password` is a slow hash of the password's SHA-256 (dialects.md 0.3), or an imported hash of the clear password.
    """

    id = models.BigAutoField(primary_key=True)
    username = models.CharField(_("user name"), max_length=150)
    username_key = models.CharField(max_length=200, unique=True, editable=False)
    email = models.EmailField(_("e-mail address"), max_length=254)
    email_key = models.CharField(max_length=300, unique=True, editable=False)
    first_name = models.CharField(_("first name"), max_length=150, blank=True)
    last_name = models.CharField(_("last name"), max_length=150, blank=True)
    phone = models.CharField(_("phone"), max_length=20, blank=True)
    mobile = models.CharField(_("mobile"), max_length=20, blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True)
    landing_page = models.CharField(_("landing page"), max_length=200, blank=True, default="/desk/")
    avatar_id = models.PositiveIntegerField(_("avatar"), default=0)
    auth_ip = models.JSONField(_("addresses that may sign in"), default=list, blank=True)
    default_organization = models.ForeignKey(
        Organization, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("default organisation")
    )
    created_by = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )

    is_superuser = models.BooleanField(_("operator"), default=False)
    is_active = models.BooleanField(_("enabled"), default=True)
    locked_at = models.DateTimeField(_("locked by an operator"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    is_protected = models.BooleanField(_("protected from login-as"), default=False)
    is_service = models.BooleanField(_("a service, not a person"), default=False)

    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    last_login_at = models.DateTimeField(_("last sign-in"), null=True, blank=True)
    last_login_address = models.CharField(_("last sign-in from"), max_length=45, blank=True)
    last_seen_at = models.DateTimeField(_("last seen"), null=True, blank=True)
    password_changed_at = models.DateTimeField(_("password changed"), null=True, blank=True)
    has_second_factor = models.BooleanField(_("second factor"), default=False, editable=False)

    last_login = None  # last_login_at holds it, written in the sign-in's own statement
    objects = UserManager()

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = ["email"]

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        ordering = ["username_key"]

    def __str__(self) -> str:
        return self.username

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.username_key, self.email_key = key_of(self.username), key_of(self.email)
        super().save(*args, **kwargs)

    @property
    def is_staff(self) -> bool:
        """Django's word for "may see the admin"; who really may is decided by the admin site."""
        return self.is_superuser

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Django's question; only operators get a yes from it, everybody else is judged by identity.policy."""
        return self.is_active and self.is_superuser

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_superuser

    def needs_touch(self, *, at: datetime) -> bool:
        """Say whether `last_seen_at` is stale: older than a minute."""
        return self.last_seen_at is None or at - self.last_seen_at > SEEN_EVERY

    def get_full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip() or self.username

    def get_short_name(self) -> str:
        return self.first_name or self.username

    def set_password(self, raw_password: str | None) -> None:
        """Store the hash of a clear password; None stores one that nothing fits."""
        if raw_password is None:
            self.set_unusable_password()
        else:
            self.password = crypto.hash_password(crypto.password_digest(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        return crypto.check_password(self.password, clear=raw_password)[0]

    def is_expired(self, *, at: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= at

    def may_sign_in(self, *, at: datetime) -> bool:
        """Say whether the account itself lets its owner in (clarifications 8)."""
        return self.is_active and self.locked_at is None and not self.is_expired(at=at)

    def has_imported_hash(self) -> bool:
        """Say whether the stored hash is one of the clear password, imported (clarifications 51)."""
        return self.has_usable_password() and not self.password.startswith(crypto.DigestArgon2Hasher.algorithm + "$")
