"""Whom and what the stand-ins know: the demo's clients, two people of the demo, and the queues of its call centre."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Credentials:
    """The client that the demo's application is at a vendor."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"Credentials({self.id})"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom every stand-in knows; the address is that of one of the demo's people, who is recognised by it."""

    key: str
    subject: str
    first_name: str
    last_name: str
    work: str
    permissions: tuple[str, ...]

    @property
    def email(self) -> str:
        return f"{self.key}@acme.example"

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}"


# They open nothing but these stand-ins: no real vendor and no door of the portal takes them.
CLIENTS: Mapping[str, Credentials] = {
    vendor: Credentials(f"demo-{vendor}", f"demo-{vendor}-secret")
    for vendor in ("genesys", "talkdesk", "nice", "openid")
}
# Nobody who manages people: whoever sits at this computer chooses one of them without a password.
PEOPLE = {
    one.key: one
    for one in (
        Person("bob", "6f9b1f1e-0000-4000-8000-00000000b0b0", "Bob", "Berg", "Agent", ("conversation:call:accept",)),
        Person(
            "carol", "6f9b1f1e-0000-4000-8000-00000000ca01", "Carol", "Ceder", "Supervisor",
            ("ui:supervisorAgentDetails:view", "integrations:integration:view"),
        ),
    )
}  # fmt: skip
QUEUES = {
    "Kundtjänst": "7d1c2a30-0000-4000-8000-000000000001",
    "Support": "7d1c2a30-0000-4000-8000-000000000002",
    "Sales": "7d1c2a30-0000-4000-8000-000000000003",
}
