"""The desk: extension, presence, seat and sessions of whoever decides on the page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _

from agents import actions as agents
from agents.desk.forms import Place, Presence
from agents.models import Agent
from identity import policy
from identity.errors import NotFound
from identity.models import LoginAs
from identity.pages.account import whereabouts
from identity.pages.guards import methods, signed_in
from identity.pages.middleware import PortalRequest
from identity.policy import Permission
from identity.principal import Principal

DESK = "/desk/"


@methods("GET")
@signed_in
def desk(request: PortalRequest, by: Principal) -> HttpResponse:
    """Show the desk; admins have one too, with or without an extension."""
    policy.require(by, Permission.DESK)
    return _page(request, by, agents.of_user(user_id=by.user_id, organization_id=by.organization_id))


@methods("POST")
@signed_in
def presence(request: PortalRequest, by: Principal) -> HttpResponse:
    """Set what colleagues see."""
    agent, form = _own(by), Presence(request.POST)
    if not form.is_valid():
        return _page(request, by, agent, presence_form=form, status=400)
    agents.set_presence(by=by, agent=agent, **form.cleaned_data)
    messages.success(request, _("Your presence is saved."))
    return HttpResponseRedirect(DESK)


@methods("POST")
@signed_in
def place(request: PortalRequest, by: Principal) -> HttpResponse:
    """Set where the agent sits."""
    agent, form = _own(by), Place(request.POST)
    if not form.is_valid():
        return _page(request, by, agent, place_form=form, status=400)
    agents.set_place(by=by, agent=agent, place=form.cleaned_data["place"])
    messages.success(request, _("Your place is saved."))
    return HttpResponseRedirect(DESK)


def _own(by: Principal) -> Agent:
    """Answer the agent record of whoever decides. Raises NotAllowed, NotFound."""
    policy.require(by, Permission.DESK)
    agent = agents.of_user(user_id=by.user_id, organization_id=by.organization_id)
    if agent is None:
        raise NotFound("no agent record")
    return agent


def _page(
    request: PortalRequest, by: Principal, agent: Agent | None, *, presence_form: Presence | None = None,
    place_form: Place | None = None, status: int = 200,
) -> HttpResponse:  # fmt: skip
    only_looks = by.acting is not None and by.acting.mode == LoginAs.Mode.LOOK
    context = whereabouts(by) | {"agent": agent, "presence_form": None, "place_form": None}
    if agent is not None and not only_looks:
        context["presence_form"] = presence_form or Presence.of(agent)
        context["place_form"] = place_form or Place(initial={"place": agent.seat})
    return render(request, "pages/desk.html", context, status=status)
