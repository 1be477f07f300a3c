"""Asks Genesys Cloud to call somebody back: the queue by its name if need be, then the callback, once (clarifications 38)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from identity.errors import Invalid, UpstreamRefused
from identity.models import Application
from integrations.vendors import genesys

# The type of application that has them.
TYPE = "GENESYS"
QUEUES, CALLBACKS = "/api/v2/routing/queues", "/api/v2/conversations/callbacks"
# What of a refusal is repeated: a short line without anything so long that it could be a credential.
SAID = re.compile(r"[ -~]{1,200}\Z")
OPAQUE = re.compile(r"[^ ]{25}")
# A shorter text may well stand in a sentence by chance.
LEAST_TELLING = 6

Command = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What Genesys made of a callback: the conversation (id, name, selfUri) and the identifiers (type, id)."""

    conversation: dict[str, Any]
    identifiers: list[dict[str, Any]]


def queue_of(command: Command) -> str:
    """Answer the queue that a command asks for, by id or by name, as it stands there; empty where it names none."""
    places = (command, command.get("routingData", {}))
    return next((said for place in places for word in ("queueId", "queueName") if (said := place.get(word))), "")


def with_queue_ids(
    *, application: Application, config: dict[str, Any], command: Command, until: float | None = None
) -> Command:
    """Answer a command as Genesys knows it: a queue by its id, also where it is asked for by its name; an id wins over a name.

    Names are looked up as they are, letter by letter. Raises Invalid naming `queueName` when no queue is called so,
    UpstreamRefused, UpstreamUnavailable.
    """
    found: dict[str, str] = {}

    def known(place: Mapping[str, Any]) -> dict[str, Any]:
        kept = {word: said for word, said in place.items() if word != "queueName"}
        name = place.get("queueName")
        if not name or kept.get("queueId"):
            return kept
        if name not in found:
            found[name] = _queue_id(application, config, name, until)
        return {**kept, "queueId": found[name]}

    ready = known(command)
    return {**ready, "routingData": known(ready["routingData"])} if "routingData" in ready else ready


def request(
    *, application: Application, config: dict[str, Any], command: Command, until: float | None = None
) -> Accepted:
    """Ask for a callback, once, and answer what became of it; `command` has its queue by id.

    Raises UpstreamRefused with Genesys' own word (4xx), UpstreamUnavailable (everything else: nobody knows whether it took it).
    """
    answer = genesys.ask(
        application=application, config=config, method="POST", path=CALLBACKS, body=command, until=until, fits=_is_accepted
    )  # fmt: skip
    if not answer.is_success:
        raise UpstreamRefused(_word(answer.json, never=command.get("data", {}).values()))
    conversation, identifiers = answer.json["conversation"], answer.json["callbackIdentifiers"]
    return Accepted(
        {word: conversation.get(word) for word in ("id", "name", "selfUri")},
        [{word: one.get(word) for word in ("type", "id")} for one in identifiers],
    )


def _queue_id(application: Application, config: dict[str, Any], name: str, until: float | None) -> str:
    answer = genesys.ask(
        application=application, config=config, method="GET", path=QUEUES, query={"name": name}, until=until, fits=_is_page
    )  # fmt: skip
    if not answer.is_success:
        raise UpstreamRefused(_word(answer.json))
    # Genesys compares without case and knows wildcards: what it found is not yet what was asked for.
    for queue in answer.json["entities"]:
        if queue.get("name") == name:
            return str(queue["id"])
    raise Invalid("no such queue", fields={"queueName": ["There is no queue of this name."]})


def _is_page(said: Any) -> bool:
    entities = said.get("entities") if isinstance(said, dict) else None
    return isinstance(entities, list) and all(_has_id(one) for one in entities)


def _is_accepted(said: Any) -> bool:
    if not isinstance(said, dict) or not _has_id(said.get("conversation")):
        return False
    identifiers = said.get("callbackIdentifiers")
    return isinstance(identifiers, list) and all(isinstance(one, dict) for one in identifiers)


def _has_id(one: Any) -> bool:
    return isinstance(one, dict) and isinstance(one.get("id"), str) and bool(one["id"])


def _word(said: Any, *, never: Any = ()) -> str:
    """Answer Genesys' word for its refusal: its code, else its sentence, else nothing.

    Nothing that could be a credential is repeated to whoever asked: no long word, and none of the texts that we added.
    """
    telling = [text for text in never if len(text) >= LEAST_TELLING]
    fitting = (text for text in _words(said) if SAID.match(text) and not OPAQUE.search(text))
    return next((text for text in fitting if not any(one in text for one in telling)), "")


def _words(said: Any) -> Iterator[str]:
    for name in ("code", "message"):
        word = said.get(name) if isinstance(said, dict) else None
        if isinstance(word, str):
            yield word
