"""Writes organisations as lines of JSON and reads them into an empty portal, secrets left out or sealed (clarifications 65)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.hashers import identify_hasher
from django.core.exceptions import ValidationError
from django.core.management.color import no_style
from django.db import DatabaseError, connection, models, transaction

from agents.models import Agent
from config.strongbox import Strongbox
from identity import audit, crypto
from identity.models import (
    ApiKey,
    Application,
    BackupCode,
    Client,
    ClientSecret,
    Key,
    Membership,
    Organization,
    TotpDevice,
    User,
)
from identity.principal import Principal
from integrations.models import ExternalIdentity

FORMAT = {"format": "switchboard-export", "version": 1}
Ids = dict[type[models.Model], set[Any]]


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort of row: its name in the file, its table, the way to its organisation, and what of it is secret.

    `digests` travel as they are, `sealed` columns as their plain text, both inside `secrets`. Rows that are nothing but a
    secret travel only when secrets do.
    """

    name: str
    model: type[models.Model]
    way: str = "organization"
    digests: tuple[str, ...] = ()
    sealed: str = ""
    derived: tuple[str, ...] = ()
    is_only_secret: bool = False

    def columns(self) -> list[Any]:
        """Answer the columns that travel in the open."""
        hidden = {*self.digests, self.sealed, *self.derived}
        return [column for column in self.model._meta.concrete_fields if column.attname not in hidden]

    def rows(self, organization: Organization | None) -> models.QuerySet[Any]:
        found = self.model._default_manager.order_by("pk")
        return found if organization is None else found.filter(**{self.way: organization.pk})


OF_PERSON = "user__memberships__organization"
# In the order in which they can be read: what is pointed at comes first.
SORTS = (
    Sort("organization", Organization, way="pk"),
    Sort("user", User, way="memberships__organization", digests=("password",), derived=("username_key", "email_key")),
    Sort("membership", Membership),
    Sort("authenticator", TotpDevice, way=OF_PERSON, sealed="secret_sealed", is_only_secret=True),
    Sort("backup_code", BackupCode, way=OF_PERSON, digests=("digest",), is_only_secret=True),
    Sort("agent", Agent),
    Sort("client", Client),
    Sort("client_secret", ClientSecret, way="client__organization", digests=("digest",), is_only_secret=True),
    Sort("api_key", ApiKey, digests=("digest",), is_only_secret=True),
    Sort("application", Application, sealed="sealed"),
    Sort("external_identity", ExternalIdentity, way="application__organization"),
    Sort("key", Key, sealed="private_sealed", is_only_secret=True),
)
BY_NAME = {sort.name: sort for sort in SORTS}


class NotEmpty(Exception):
    """The portal has organisations or people already."""


class Unreadable(Exception):
    """A line cannot be read; the text says which one and why."""


def write(*, organization: Organization | None = None, box: Strongbox | None = None) -> Iterator[str]:
    """Answer the lines of one organisation, or of all with operators and internal services; equal rows give equal lines.

    Ids, times and states travel as they are; sessions, tickets, messages and the audit trail stay. With a `box` secrets
    travel sealed: those of machines and backup codes are digests, and count where the same DIGEST_KEYS do.
    """
    yield _line({**FORMAT, "secrets": box.header() if box else None})
    travels = [sort for sort in SORTS if box is not None or not sort.is_only_secret]
    there: Ids = {sort.model: set(sort.rows(organization).values_list("pk", flat=True)) for sort in travels}
    for sort in travels:
        columns = sort.columns()
        for row in sort.rows(organization).iterator(chunk_size=1000):
            said = {column.attname: _said(row, column, there) for column in columns}
            # Somebody who has left may still have an extension: a row without its owner stays.
            if all(said[column.attname] is not None or column.null for column in columns):
                yield _line({"row": sort.name, **said, **_secrets(row, sort, box)})


def read(*, by: Principal, lines: Iterable[str], passphrase: str = "") -> int:
    """Read an export into an empty portal, all of it or nothing; answers how many rows were made.

    Where secrets were left out, people choose a password through the reset page and machines get new secrets. Raises
    NotEmpty, Unreadable, strongbox.WrongPassphrase.
    """
    if Organization.objects.exists() or User.objects.exists():
        raise NotEmpty
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    made = 0
    with transaction.atomic():
        box = _box(*next(numbered, (1, "")), passphrase)
        for number, line in numbered:
            _make(number, _parsed(number, line), box)
            made += 1
        _check_pointers()
        for place in Organization.objects.order_by("name"):
            audit.record("organization.created", by=by, subject=place.name, organization=place, imported=True)
        _continue_numbers()
    return made


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False) + "\n"


def _said(row: Any, column: Any, there: Ids) -> Any:
    """Answer a column as JSON has it; None for a pointer to what does not travel."""
    value = getattr(row, column.attname)
    if column.is_relation and value not in there.get(column.related_model, ()):
        return None
    if value is None or isinstance(value, (str, int, float, bool, list, dict)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _secrets(row: Any, sort: Sort, box: Strongbox | None) -> dict[str, str]:
    if box is None or not (sort.digests or sort.sealed):
        return {}
    hidden = {name: getattr(row, name) for name in sort.digests}
    if sort.sealed and getattr(row, sort.sealed):
        hidden[sort.sealed] = crypto.open_sealed(getattr(row, sort.sealed), place=row.place())
    return {"secrets": box.put(json.dumps(hidden, sort_keys=True), place=f"{sort.name}:{row.pk}")}


def _parsed(number: int, line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as e:
        raise Unreadable(f"line {number}: is not JSON") from e
    if not isinstance(record, dict):
        raise Unreadable(f"line {number}: is not an object")
    return record


def _box(number: int, line: str, passphrase: str) -> Strongbox | None:
    header = _parsed(number, line)
    if {name: header.get(name) for name in FORMAT} != FORMAT:
        raise Unreadable(f"line {number}: is not the first line of an export that this version reads")
    if header.get("secrets") is None:
        return None
    if not passphrase:
        raise Unreadable(f"line {number}: the secrets are sealed; give the passphrase")
    box = Strongbox(passphrase, label=str(header["secrets"].get("label", "")))
    if box.header() != header["secrets"]:
        raise Unreadable(f"line {number}: the secrets are sealed in a way that this version does not know")
    return box


def _make(number: int, record: dict[str, Any], box: Strongbox | None) -> None:
    sort = BY_NAME.get(str(record.pop("row", "")))
    if sort is None:
        raise Unreadable(f"line {number}: is no known sort of row")
    secrets = record.pop("secrets", None)
    columns = {column.attname: column for column in sort.columns()}
    if unknown := sorted(set(record) - set(columns)):
        raise Unreadable(f"line {number}: has no column {', '.join(unknown)}")
    try:
        row = sort.model(**{name: _value(columns[name], value) for name, value in record.items()})
        _fill(row, sort, _opened(row, sort, secrets, box))
        with transaction.atomic():
            row.save(force_insert=True)
    except (ValidationError, DatabaseError, TypeError, ValueError) as refusal:
        raise Unreadable(f"line {number}: cannot be stored as {sort.name}: {type(refusal).__name__}") from refusal


def _value(column: Any, value: Any) -> Any:
    kind = column.target_field if column.is_relation else column
    return None if value is None else kind.to_python(value)


def _opened(row: Any, sort: Sort, secrets: Any, box: Strongbox | None) -> dict[str, Any]:
    """Answer a row's secrets: sealed in an export, in the open in a file that another system's people come from."""
    if secrets is None or isinstance(secrets, dict):
        return dict(secrets or {})
    if box is None:
        raise ValueError("sealed without a seal")
    opened: dict[str, Any] = json.loads(box.take(str(secrets), place=f"{sort.name}:{row.pk}"))
    return opened


def _fill(row: Any, sort: Sort, secrets: dict[str, Any]) -> None:
    for name in sort.digests:
        if name in secrets:
            setattr(row, name, str(secrets[name]))
    if sort.sealed and secrets.get(sort.sealed):
        setattr(row, sort.sealed, crypto.seal(str(secrets[sort.sealed]), place=row.place()))
    if isinstance(row, User):
        if not row.password:
            row.set_unusable_password()
        elif row.has_usable_password():
            identify_hasher(row.password)


def _check_pointers() -> None:
    try:
        connection.check_constraints()
    except DatabaseError as refusal:
        raise Unreadable("a row points at one that is not in the file") from refusal


def _continue_numbers() -> None:
    """New rows are numbered after those that were read; PostgreSQL's counters do not see rows that bring their number."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [sort.model for sort in SORTS]):
            cursor.execute(statement)
