"""What Prometheus reads: requests by route and answer, the embedded broker's queues; all processes summed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from time import perf_counter

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.http.response import HttpResponseBase
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from config.broker import leases
from config.middleware import PortalRequest

REQUESTS = Counter("http_requests", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram("http_request_seconds", "How long requests took.", ["method", "route"])
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"})
LOOPBACK = ("127.0.0.1", "::1")


class Metrics:
    """Counts each request under its route: a path may hold an id or a credential, a route is one of a fixed number."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = perf_counter()
        response = self.get_response(request)
        method = request.method if request.method in METHODS else "other"
        route = route_of(request)
        REQUESTS.labels(method, route, response.status_code).inc()
        SECONDS.labels(method, route).observe(perf_counter() - started)
        return response


def route_of(request: HttpRequest) -> str:
    """The pattern that matched, or a word that is the same for everything that matched nothing."""
    match = request.resolver_match
    return match.route if match else "unmatched"


class BrokerQueues:
    """How many messages wait or were given up, asked of the table when somebody reads."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        messages = GaugeMetricFamily("broker_messages", "Messages of the embedded broker.", labels=["queue", "state"])
        for (queue, state), number in leases.census().items():
            messages.add_metric([queue, state], number)
        yield messages


@never_cache
def page(request: PortalRequest) -> HttpResponse:
    """The text that Prometheus scrapes; in production for loopback and for who brings METRICS_TOKEN."""
    if not may_read(request):
        return HttpResponseForbidden()
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types
    text = generate_latest(registry)
    if settings.IS_EMBEDDED:
        queues = CollectorRegistry()
        queues.register(BrokerQueues())
        text += generate_latest(queues)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def may_read(request: PortalRequest) -> bool:
    """Everybody on a laptop; in production loopback or the bearer of the token."""
    sent = request.headers.get("Authorization", "").removeprefix("Bearer ")
    return (
        settings.PORTAL_ENV != "production"
        or request.client_address in LOOPBACK
        or bool(settings.METRICS_TOKEN and constant_time_compare(sent, settings.METRICS_TOKEN))
    )
