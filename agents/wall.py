"""What the supervisor's wall shows: every extension with presence, line and place, and how many there are of each state."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from agents import directory
from agents.models import Agent, Call
from identity import clock, policy
from identity.principal import Principal


class State(StrEnum):
    """What matters most about an extension, read across a room; the line counts before the presence."""

    FREE = "free"
    RINGING = "ringing"
    TALKING = "talking"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class Tile:
    """One extension on the wall. `call` is the ongoing one that gives the state, `for_` how long it has lasted already."""

    agent: Agent
    state: State
    place: str
    call: Call | None
    for_: timedelta | None
    other_calls: int
    is_overdue: bool


@dataclass(frozen=True, slots=True)
class Wall:
    """All tiles by extension, the number of each state in the order of State, and the instant that they show."""

    tiles: list[Tile]
    counts: dict[State, int]
    at: datetime


def look(*, by: Principal) -> Wall:
    """Answer the wall of the caller's organisation, in as many queries for one extension as for hundreds.

    Raises NotAllowed.
    """
    at = clock.now()
    policy.require(by, policy.Permission.WALL)
    tiles = [_tile(agent, at=at) for agent in directory.everybody(by=by).select_related("seat_session")]
    counted = Counter(tile.state for tile in tiles)
    return Wall(tiles=tiles, counts={state: counted[state] for state in State}, at=at)


def _tile(agent: Agent, *, at: datetime) -> Tile:
    ongoing: list[Call] = agent.ongoing  # type: ignore[attr-defined]  # put there by the directory
    talking = [call for call in ongoing if call.line_status == Call.LineStatus.UP]
    call = next(iter([*talking, *ongoing]), None)
    if call is not None:
        state = State.TALKING if talking else State.RINGING
    else:
        state = State.FREE if agent.is_available else State.AWAY
    return Tile(
        agent=agent,
        state=state,
        place=agent.seat,
        call=call,
        # To the second: the wall is read, not measured.
        for_=timedelta(seconds=max(0, int((at - call.started_at).total_seconds()))) if call else None,
        other_calls=max(0, len(ongoing) - 1),
        is_overdue=agent.is_until_over(at=at),
    )
