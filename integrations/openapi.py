"""How the dialects appear in the OpenAPI documents: each under its own tag, names kept apart."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from rest_framework.serializers import Serializer

VARIABLE = re.compile(r"\{(\w+)\}")


class DialectSchema(AutoSchema):
    """Derives tag, operation id and component names from the folder that a class is written in.

    Two dialects may both call something a User; and what is open to strangers asks for no credential.
    """

    view: Any

    def get_auth(self) -> list[dict[str, Any]]:
        return [] if self.view.action in self.view.open_to_strangers else super().get_auth()

    def get_tags(self) -> list[str]:
        return [_dialect_of(type(self.view))]

    def get_operation_id(self) -> str:
        """Answer a name of dialect, resource, action and method; one action at two addresses has two names."""
        said = [_dialect_of(type(self.view)), type(self.view).__name__, self.view.action, self.method]
        said += [f"by_{variable}" for variable in VARIABLE.findall(self.path)]
        return "_".join([*said, "alias"] if self.path.endswith("/") else said).lower()

    def get_request_serializer(self) -> Any:
        """Answer what goes in where the action says nothing: some object."""
        return OpenApiTypes.OBJECT if self.method in ("POST", "PUT", "PATCH") else None

    def get_response_serializers(self) -> Any:
        """Answer what comes out where the action says nothing: some object."""
        return OpenApiTypes.OBJECT

    def get_serializer_name(self, serializer: Serializer[Any], direction: Any) -> str:
        return f"{_dialect_of(type(serializer)).title()}{type(serializer).__name__}"


def _dialect_of(kind: type) -> str:
    """Answer the dialect in whose folder a class is written: integrations.dialects.<name>.…"""
    return kind.__module__.split(".")[2]
