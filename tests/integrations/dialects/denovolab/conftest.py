"""What Denovolab's tests may ask for."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.cast import Cast
from tests.integrations.dialects.denovolab.partner import Partner


@pytest.fixture
def partner(client: Client, cast: Cast) -> Partner:
    """A program that speaks Denovolab."""
    return Partner(client, cast)
