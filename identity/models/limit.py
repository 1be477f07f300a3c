"""Counters that punish or ration, and keys that make a repeated request one."""

from __future__ import annotations

from django.db import models

from identity import clock


class Counter(models.Model):
    """How often something happened under a key in the running window; written by one statement only (identity.limits)."""

    key = models.CharField(primary_key=True, max_length=120)
    count = models.PositiveBigIntegerField()
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key


class IdempotencyKey(models.Model):
    """The answer that the first request under a caller's key got, for those that repeat it."""

    digest = models.CharField(primary_key=True, max_length=64)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.JSONField(null=True)
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest[:8]
