"""What colleagues see of each other: extension, presence and ongoing calls, of one or of all, in as many queries."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from agents import actions
from agents.models import Agent, Call
from identity import policy
from identity.errors import NotFound
from identity.principal import Principal


def everybody(*, by: Principal) -> QuerySet[Agent]:
    """Answer the enabled agents of the caller's organisation by extension, each with its `ongoing` calls. Raises NotAllowed."""
    policy.require(by, policy.Permission.EXTENSIONS_READ)
    ongoing = Call.objects.filter(ended_at=None).order_by("started_at", "pk")
    # Without the seat: a session is a wide row, and hundreds of colleagues are read at a time.
    listed = actions.listed(by.organization_id).select_related(None).select_related("user")
    return listed.prefetch_related(Prefetch("calls", queryset=ongoing, to_attr="ongoing"))


def one(*, by: Principal, extension: str) -> Agent:
    """Answer a colleague by extension. Raises NotAllowed, NotFound."""
    return _only(everybody(by=by).filter(extension=extension))


def own(*, by: Principal) -> Agent:
    """Answer the caller's own entry. Raises NotAllowed, NotFound for people without an extension."""
    return _only(everybody(by=by).filter(user_id=by.user_id))


def _only(found: QuerySet[Agent]) -> Agent:
    agent = found.first()
    if agent is None:
        raise NotFound("no such extension")
    return agent
