"""A gateway that does what a test tells it to, found by the settings like the real ones."""

from __future__ import annotations

from typing import ClassVar

from identity.outbox import Letter, Receipt


class Gate:
    """Keeps what was sent; `answers` are raised or, being None, mean that the message is taken."""

    sent: ClassVar[list[Letter]] = []
    answers: ClassVar[list[Exception | None]] = []
    has: ClassVar[Receipt | bool | None] = None
    asked: ClassVar[list[str]] = []

    def send(self, letter: Letter) -> Receipt:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.sent.append(letter)
        return Receipt(f"gate-{len(self.sent)}", "queued")

    def was_sent(self, letter: Letter) -> Receipt | bool | None:
        self.asked.append(letter.id)
        return self.has

    @classmethod
    def open(cls) -> None:
        """Forget what was."""
        cls.sent, cls.answers, cls.asked, cls.has = [], [], [], None
