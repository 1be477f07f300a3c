"""Runs the operator's commands as `manage.py` does, and answers what they print."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError


def manage(*words: str) -> str:
    """Run a command and answer its standard output."""
    out = io.StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def manage_json(*words: str) -> Any:
    """Run a command that prints one JSON value."""
    return json.loads(manage(*words))


def refusal(*words: str) -> str:
    """Run a command that must refuse, and answer what it says."""
    with pytest.raises(CommandError) as refused:
        manage(*words)
    return str(refused.value)
