"""What the OpenAPI page says that goes into OAuth's endpoints and comes out of them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from integrations.dialects.oauth.shapes import metadata

FORM = "application/x-www-form-urlencoded"


class TokenRequest(serializers.Serializer[Any]):
    """RFC 6749, 4 and 6; RFC 8693, 2.1."""

    grant_type = serializers.ChoiceField(metadata()["grant_types_supported"])
    client_id = serializers.CharField(required=False, help_text="Instead of Basic.")
    client_secret = serializers.CharField(required=False, help_text="Instead of Basic.")
    username = serializers.CharField(required=False, help_text="A ticket, or the person of a single-use code.")
    password = serializers.CharField(required=False, help_text="Empty for a ticket, else the single-use code.")
    ticket = serializers.CharField(required=False, help_text="A ticket, instead of the username.")
    refresh_token = serializers.CharField(required=False)
    code = serializers.CharField(required=False)
    redirect_uri = serializers.CharField(required=False)
    code_verifier = serializers.CharField(required=False)
    subject_token = serializers.CharField(required=False, help_text="The number of the person to be worked as.")
    subject_token_type = serializers.CharField(required=False)
    actor_token = serializers.CharField(required=False, help_text="The actor's own access token.")
    actor_token_type = serializers.CharField(required=False)
    reason = serializers.CharField(required=False, help_text="Shown to the person who is worked as.")


class TokenAnswer(serializers.Serializer[Any]):
    """RFC 6749, 5.1, with Auvious' additions."""

    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(["bearer"])
    expires_in = serializers.IntegerField(help_text="Seconds.")
    scope = serializers.CharField()
    jti = serializers.CharField()
    sub = serializers.CharField()
    organization = serializers.CharField(required=False)
    refresh_token = serializers.CharField(required=False)
    id_token = serializers.CharField(required=False)
    issued_token_type = serializers.CharField(required=False)
    conference_id = serializers.CharField(required=False)


class Introspected(serializers.Serializer[Any]):
    """RFC 7662, 2.1."""

    token = serializers.CharField()
    token_type_hint = serializers.CharField(required=False)


class Introspection(serializers.Serializer[Any]):
    """RFC 7662, 2.2; everything but `active` is missing when that is false."""

    active = serializers.BooleanField()
    token_type = serializers.CharField(required=False)
    scope = serializers.CharField(required=False)
    client_id = serializers.CharField(required=False)
    username = serializers.CharField(required=False)
    sub = serializers.CharField(required=False)
    exp = serializers.IntegerField(required=False)
    iat = serializers.IntegerField(required=False)
    jti = serializers.CharField(required=False)
    act = serializers.DictField(required=False, help_text="Who really acts (RFC 8693, 4.1).")


class Person(serializers.Serializer[Any]):
    """OpenID Connect Core, 5.1; what is there depends on the scope."""

    sub = serializers.CharField()
    name = serializers.CharField(required=False)
    given_name = serializers.CharField(required=False)
    family_name = serializers.CharField(required=False)
    preferred_username = serializers.CharField(required=False)
    email = serializers.EmailField(required=False)


class Error(serializers.Serializer[Any]):
    """RFC 6749, 5.2."""

    error = serializers.CharField()
    error_description = serializers.CharField()


def answers(shape: Any, *refusals: int) -> dict[int, Any]:
    """Answer what an operation answers."""
    return {200: shape, **dict.fromkeys(refusals, Error)}
