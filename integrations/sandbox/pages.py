"""The stand-ins' pages in a browser: what there is, who shall sign in, and goodbye."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape

from integrations.sandbox.known import PEOPLE
from integrations.sandbox.wire import NO_STORE, Answer

STYLE = (
    ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:8vh auto;padding:0 1rem}"
    "button{display:block;width:100%;margin:.5rem 0;padding:.75rem 1rem;font:inherit;text-align:left;border:1px solid;border-radius:.5rem;"
    "background:transparent;color:inherit;cursor:pointer}small{display:block}code{overflow-wrap:anywhere}"
)
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", **NO_STORE,
    # No form-action: browsers would apply it to the redirect back to the portal, too.
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; frame-ancestors 'none'",
}  # fmt: skip


def page(title: str, body: str, *, status: int = 200) -> Answer:
    """Answer a page; `body` is HTML."""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return Answer(status, HEADERS, text.encode())


def choice(name: str, action: str, asked: Mapping[str, str]) -> Answer:
    """Ask who signs in; everything that the portal asked for goes along."""
    kept = "".join(f'<input type="hidden" name="{escape(key)}" value="{escape(said)}">' for key, said in asked.items())
    people = "".join(
        f'<button name="person" value="{one.key}">{escape(one.name)}<small>{escape(one.work)}, {escape(one.email)}</small></button>'
        for one in PEOPLE.values()
    )
    cancel = '<button name="person" value="">Nobody: cancel</button>'
    words = "<p>This is the sandbox on your computer, not the real one. Who signs in?</p>"
    return page(
        f"Sign in to {name}", f'{words}<form method="post" action="{escape(action)}">{kept}{people}{cancel}</form>'
    )


def overview(names: Mapping[str, str], callbacks: Iterable[str]) -> Answer:
    """Say which stand-ins there are, and which callbacks were asked for."""
    rows = "".join(f"<li>{escape(name)}: <code>{escape(base)}</code></li>" for name, base in names.items())
    taken = "".join(f"<li>{escape(one)}</li>" for one in callbacks) or "<li>none yet</li>"
    return page(
        "Switchboard’s sandbox", f"<p>Stand-ins of</p><ul>{rows}</ul><h2>Callbacks asked for</h2><ul>{taken}</ul>"
    )
