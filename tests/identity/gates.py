"""A gateway that does what a test tells it to, found by the settings like the real ones."""

from __future__ import annotations

from typing import ClassVar

from identity.outbox import Letter


class Gate:
    """Keeps what was sent; `answers` are raised or, being None, mean that the message is taken."""

    sent: ClassVar[list[Letter]] = []
    answers: ClassVar[list[Exception | None]] = []
    has: ClassVar[bool | None] = None
    asked: ClassVar[list[str]] = []

    def send(self, letter: Letter) -> str:
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        self.sent.append(letter)
        return f"gate-{len(self.sent)}"

    def was_sent(self, letter: Letter) -> bool | None:
        self.asked.append(letter.id)
        return self.has

    @classmethod
    def open(cls) -> None:
        """Forget what was."""
        cls.sent, cls.answers, cls.asked, cls.has = [], [], [], None
