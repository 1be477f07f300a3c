"""Makes a repeated request one: what a caller asks again under the same key gets the first answer (clarifications 36)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from identity import crypto
from identity.errors import Invalid
from identity.models import IdempotencyKey

REMEMBERED = timedelta(hours=24)

# Of many at once one gets a row back; on PostgreSQL the others wait here until it has committed its answer, or rolled back.
_CLAIM = """
INSERT INTO identity_idempotencykey (digest, request_digest, status, answer, created_at, expires_at)
VALUES (%s, %s, NULL, NULL, %s, %s)
ON CONFLICT (digest) DO UPDATE SET
    request_digest = excluded.request_digest, answer = NULL, created_at = excluded.created_at, expires_at = excluded.expires_at
WHERE identity_idempotencykey.expires_at <= excluded.created_at
RETURNING digest
"""


@transaction.atomic
def once(*, scope: str, key: str, said: Any, at: datetime, deed: Callable[[], str]) -> str:
    """Do a deed once per key and scope (who asks for what) within 24 hours; answers what the first one answered.

    The key and the deed commit together: a deed that is refused leaves no key. `said` is the request as plain JSON values.
    Raises Invalid naming `key` when the key was used for another request, and whatever the deed raises.
    """
    digest = crypto.digest(f"{scope}|{key}", purpose="idempotency")
    request = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [digest, request, adapt(at), adapt(at + REMEMBERED)])
        is_first = cursor.fetchone() is not None
    kept = IdempotencyKey.objects.filter(digest=digest)
    if is_first:
        answer = deed()
        kept.update(answer=answer)
        return answer
    first = kept.get()
    if first.request_digest != request:
        raise Invalid("key", fields={"key": [_("It was used for another request; use a new key.")]})
    return str(first.answer)


def purge(*, at: datetime, batch: int = 1000) -> int:
    """Delete keys that are remembered no longer, a batch at a time; answers how many."""
    over = list(IdempotencyKey.objects.filter(expires_at__lte=at).values_list("pk", flat=True)[:batch])
    return IdempotencyKey.objects.filter(pk__in=over, expires_at__lte=at).delete()[0]
