"""Ping's addresses, each with and without a slash at its end; nothing is ever redirected (dialects.md 2.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, path, re_path, register_converter
from django.urls.converters import StringConverter

from integrations import edge
from integrations.dialects.ping import errors, shapes
from integrations.dialects.ping.views import Calls, Extensions, SignIn, SignOut


class ExtensionConverter(StringConverter):
    """Digits, perhaps behind a plus; everything else is no address (clarifications 25)."""

    regex = r"\+?[0-9]{1,20}"


class CallIdConverter(StringConverter):
    """What telephone systems call their calls, as long as the column is."""

    regex = r"[A-Za-z0-9._~:@+-]{1,100}"


register_converter(ExtensionConverter, "ping_extension")
register_converter(CallIdConverter, "ping_call")


def both(route: str, view: Any, actions: dict[str, str]) -> Iterator[URLPattern]:
    """Answer an address in its two spellings; the OpenAPI page knows the first alone."""
    yield path(route, view.as_view(actions))
    yield path(route.removesuffix("/") if route.endswith("/") else f"{route}/", view.as_view(actions, schema=None))


urlpatterns: list[URLPattern] = [
    *both("api/auth/login", SignIn, {"get": "sign_in", "post": "sign_in"}),
    *both("api/auth/logout", SignOut, {"post": "sign_out"}),
    *both("api/extensions/", Extensions, {"get": "everybody"}),
    *both("api/extensions/me", Extensions, {"get": "me"}),
    *both("api/extensions/<ping_extension:extension>", Extensions, {"get": "one"}),
    *both("api/extensions/<ping_extension:extension>/calls/<ping_call:call_id>", Extensions, {"put": "report_call"}),
    *both("api/calls", Calls, {"get": "ended"}),
]
# Whatever else begins with /api is ours to refuse, but for the version of it that is another's (clarifications 1).
rest = [re_path(r"^/*api(?!/+v2)", edge.nowhere(errors, renderer_classes=[shapes.Utf8Json]))]
