"""One waiting or running message of the embedded broker; it holds ids only, never a code, an address or a token."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _


class QueuedMessage(models.Model):
    """A message is free once `leased_until` has passed, gone when acknowledged, and set aside once `dead_at` is set."""

    queue = models.CharField(_("queue"), max_length=100)
    tag = models.CharField(_("delivery tag"), max_length=64, unique=True)
    body = models.TextField(_("body"))
    leased_until = models.DateTimeField(_("leased until"))
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    created_at = models.DateTimeField(_("created at"))
    dead_at = models.DateTimeField(_("given up at"), null=True, blank=True)

    class Meta:
        verbose_name = _("queued message")
        verbose_name_plural = _("queued messages")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["queue", "leased_until"], name="queued_message_free", condition=models.Q(dead_at__isnull=True)
            ),
            models.Index(fields=["dead_at"], name="queued_message_dead", condition=models.Q(dead_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.tag}"
