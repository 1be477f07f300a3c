"""Records who did what to whom, seals the records into a chain, and verifies it (security.md P13)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from identity import clock, crypto
from identity.models import AuditEvent, AuditSeal, Organization, User
from identity.principal import Principal, Via

# A row may still gain a count for a minute; sealing waits until it cannot.
SETTLING = timedelta(seconds=90)
BATCH = 500


def record(
    event: str,
    *,
    by: Principal | None = None,
    via: Via | None = None,
    actor_name: str = "",
    subject: User | str | None = None,
    organization: Organization | None = None,
    rule: str = "",
    **details: Any,
) -> AuditEvent:
    """Write one row, in the transaction of the act it tells of.

    `by` is who did it (the real person while acting; the other name goes beside it), or `actor_name` when nobody was
    proven; `subject` is the person, or the name of the thing, it was done to. `details` never hold a secret.
    """
    way = via or (by.via if by else Via(door=""))
    acting = by.acting if by else None
    row = AuditEvent(
        event=event,
        door=way.door,
        address=way.address,
        request_id=way.request_id,
        actor=(by.actor_name if by else actor_name)[:200],
        actor_user_id=(acting.actor_id if acting else by.user_id) if by else None,
        acting_as=by.name if by and acting else "",
        subject=str(subject or "")[:200],
        subject_user=subject if isinstance(subject, User) else None,
        organization=organization,
        organization_name=organization.name if organization else (by.organization_name if by else ""),
        rule=rule,
        details=details,
    )
    if organization is None and by is not None:
        row.organization_id = by.organization_id
    row.save(force_insert=True)
    return row


def refused(
    event: str,
    *,
    via: Via,
    subject: User | None,
    by: Principal | None = None,
    name: str = "",
    organization: Organization | None = None,
    rule: str = "",
) -> None:
    """Write a refusal, and who was refused where that is known (`by`); under attack, equal refusals of one minute share a row with a count (clarifications 64)."""
    minute = clock.now() - timedelta(seconds=60)
    equal = AuditEvent.objects.filter(
        event=event, seal=None, at__gte=minute, subject_user=subject, subject=(str(subject) if subject else name)[:200],
        address=via.address, door=via.door, rule=rule, actor=(by.actor_name if by else "")[:200],
    )  # fmt: skip
    latest = equal.order_by("-id").values_list("pk", flat=True).first()
    if latest is None or not AuditEvent.objects.filter(pk=latest, seal=None).update(count=F("count") + 1):
        record(event, by=by, via=via, subject=subject or name, organization=organization, rule=rule)


def seal() -> int:
    """Seal settled rows in order into the chain; answers how many rows. Of several sealers at once, one goes on."""
    before = clock.now() - SETTLING
    sealed = 0
    while rows := list(AuditEvent.objects.filter(seal=None, at__lt=before).order_by("id")[:BATCH]):
        if not _seal(rows):
            break
        sealed += len(rows)
    return sealed


def _seal(rows: list[AuditEvent]) -> bool:
    """Add one link over these rows, unless another sealer took the place in the chain, or any of the rows, first."""
    try:
        with transaction.atomic():
            last = AuditSeal.objects.order_by("-pk").first()
            link = AuditSeal.objects.create(previous=last, digest=_chain(last, rows), rows=len(rows))
            mine = AuditEvent.objects.filter(pk__in=[row.pk for row in rows], seal=None).update(seal=link)
            transaction.set_rollback(mine != len(rows))
            return mine == len(rows)
    except IntegrityError:
        return False


def verify() -> list[str]:
    """Walk the chain and answer what is wrong, in sentences; an empty list means that nothing was changed."""
    wrong: list[str] = []
    previous: AuditSeal | None = None
    for link in AuditSeal.objects.order_by("pk").iterator():
        if link.previous_id != (previous.pk if previous else None):
            wrong.append(f"seal {link.pk} does not follow the seal before it")
        rows = list(AuditEvent.objects.filter(seal=link).order_by("id"))
        if len(rows) != link.rows:
            wrong.append(f"seal {link.pk} covers {link.rows} rows, but {len(rows)} are there")
        elif not any(crypto.same(link.digest, one) for one in _chains(previous, rows)):
            wrong.append(f"rows {rows[0].pk} to {rows[-1].pk} are not as they were sealed")
        previous = link
    return wrong


def rows(*, after: int = 0, organization: Organization | None = None) -> QuerySet[AuditEvent]:
    """Answer the rows after an id, oldest first, of one organisation or of all."""
    found = AuditEvent.objects.filter(pk__gt=after).order_by("pk")
    return found if organization is None else found.filter(organization=organization)


def as_dict(row: AuditEvent) -> dict[str, Any]:
    """Answer a row as the export and `manage.py audit --json` give it."""
    return {
        "id": row.pk,
        "at": row.at.isoformat().replace("+00:00", "Z"),
        "event": row.event,
        "door": row.door,
        "actor": row.actor,
        "acting_as": row.acting_as or None,
        "subject": row.subject,
        "organization": row.organization_name or None,
        "rule": row.rule or None,
        "address": row.address,
        "request_id": row.request_id,
        "count": row.count,
        "details": row.details,
    }


def as_json_lines(found: Iterable[AuditEvent]) -> Iterator[str]:
    """Answer rows as lines of JSON."""
    for row in found:
        yield json.dumps(as_dict(row), ensure_ascii=False) + "\n"


def _text(before: AuditSeal | None, found: list[AuditEvent]) -> str:
    return (before.digest if before else "") + "".join(json.dumps(as_dict(row), sort_keys=True) for row in found)


def _chain(before: AuditSeal | None, found: list[AuditEvent]) -> str:
    return crypto.digest(_text(before, found), purpose="audit")


def _chains(before: AuditSeal | None, found: list[AuditEvent]) -> list[str]:
    return crypto.digests(_text(before, found), purpose="audit")
