"""What the tests of the admin's pages share: somebody signed in, by a portal session that was opened without the form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import Client

from identity import sessions
from identity.models import User
from identity.principal import Via
from tests.cast import Cast


@pytest.fixture
def admin_of(cast: Cast) -> Callable[[str], Client]:
    """A function that answers a browser in which somebody of the cast, or `olle` the operator, is signed in."""
    olle = User.objects.create_superuser(username="olle", email="olle@operator.example", password=None)

    def sign_in(name: str) -> Client:
        via = Via(door="portal", address="127.0.0.1")
        if name == olle.username:
            secret = sessions.open_(via=via, user=olle, lifetime=timedelta(hours=1)).secret
        else:
            secret = cast.session(name, door="portal").secret
        client = Client()
        client.cookies[settings.PORTAL_COOKIE] = secret
        return client

    return sign_in
