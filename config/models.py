"""The tables of the wiring."""

from config.broker.models import QueuedMessage

__all__ = ["QueuedMessage"]
