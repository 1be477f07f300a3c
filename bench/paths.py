"""The hot paths by name: each function prepares what its request needs and answers the request."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from itertools import count
from typing import Any
from urllib.parse import urlencode

from bench.portal import Portal, Request

JSON = {"Content-Type": "application/json"}
CUSTOMER = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": "Basic Y3VzdG9tZXI6"}


def healthz(portal: Portal) -> Request:
    return Request("GET", "/healthz")


def denovolab_sign_in(portal: Portal) -> Request:
    """Costs a password hash: a slow one is right where people choose what is hashed."""
    bob = portal.cast["users"]["bob"]
    body = json.dumps({"email_or_name": bob["username"], "password": bob["password"]}).encode()
    return Request("POST", "/v1/auth", body, JSON)


def denovolab_user(portal: Portal) -> Request:
    return Request("GET", "/v1/user", headers={"X-Auth-Token": denovolab_token(portal, "bob")})


def denovolab_as_agent(portal: Portal) -> Request:
    body = json.dumps({"agent_id": portal.cast["users"]["bob"]["agent_id"]}).encode()
    return Request("POST", "/v1/auth/as_agent", body, JSON | {"X-Auth-Token": denovolab_token(portal, "alice")})


def denovolab_user_acting(portal: Portal) -> Request:
    """A request with an impersonation token: the policy is asked again."""
    made = call(portal, denovolab_as_agent(portal))
    return Request("GET", "/v1/user", headers={"X-Auth-Token": made["payload"]["token"]})


def denovolab_token(portal: Portal, name: str) -> str:
    person = portal.cast["users"][name]
    body = json.dumps({"email_or_name": person["username"], "password": person["password"]}).encode()
    return str(call(portal, Request("POST", "/v1/auth", body, JSON))["payload"]["token"])


def platform28_login(portal: Portal) -> Request:
    """Costs a password hash: the digest that comes is a password, and is kept like one."""
    bob = portal.cast["users"]["bob"]
    digest = hashlib.sha256(bob["password"].encode()).hexdigest()
    return Request("POST", "/authenticate/bob", json.dumps({"passwordHash": digest}).encode(), JSON)


def platform28_session(portal: Portal) -> Request:
    session = platform28_session_of(portal, "bob")
    return Request("GET", f"/session/{session['id']};lsid={session['lsid']}")


def platform28_session_acting(portal: Portal) -> Request:
    """A request of a session that works as somebody: the policy is asked again."""
    session = platform28_session_of(portal, "alice")
    call(portal, platform28_become(portal, session))
    return Request("GET", f"/session/{session['id']};lsid={session['lsid']}")


def platform28_set_effective_user(portal: Portal) -> Callable[[int], Request]:
    """Each request takes on somebody in a session of its own, which is cloned before the clock runs."""
    session = platform28_session_of(portal, "alice")
    clone = Request("POST", f"/session/{session['id']}/clone;lsid={session['lsid']}")
    return lambda _n: platform28_become(portal, call(portal, clone))


def platform28_become(portal: Portal, session: dict[str, Any]) -> Request:
    body = json.dumps(str(portal.cast["users"]["bob"]["user_id"])).encode()
    return Request("POST", f"/session/{session['id']}/setEffectiveUser;lsid={session['lsid']}", body, JSON)


def platform28_session_of(portal: Portal, name: str) -> dict[str, Any]:
    person = portal.cast["users"][name]
    digest = hashlib.sha256(person["password"].encode()).hexdigest()
    return call(portal, Request("POST", f"/authenticate/{name}", json.dumps({"passwordHash": digest}).encode(), JSON))


def genesys_login(portal: Portal) -> Request:
    """Costs a password hash: the desktop sends the clear password."""
    return Request("GET", "/api/v2/me", headers=basic_of(portal, "bob"))


def genesys_ping(portal: Portal) -> Request:
    return Request("GET", "/ping", headers=cookie_of(portal, genesys_login(portal)))


def ping_extensions(portal: Portal) -> Request:
    """The list of an organisation of 500."""
    portal.manage("shell", "--verbosity", "0", "--command", FILL_ACME)
    return Request("GET", "/api/extensions/", headers=ping_bearer(portal))


def ping_me_by_token(portal: Portal) -> Request:
    return Request("GET", "/api/extensions/me", headers=ping_bearer(portal))


def ping_me_by_cookie(portal: Portal) -> Request:
    login = Request("GET", "/api/auth/login", headers=basic_of(portal, "bob"))
    return Request("GET", "/api/extensions/me", headers=cookie_of(portal, login))


def ping_me_by_password(portal: Portal) -> Request:
    """Costs a password hash at every request: the reason to use one of the other two."""
    return Request("GET", "/api/extensions/me", headers=basic_of(portal, "bob"))


def ping_bearer(portal: Portal) -> dict[str, str]:
    return {"Authorization": f"Bearer {portal.cast['ping_tokens']['bob']}"}


def basic_of(portal: Portal, name: str) -> dict[str, str]:
    person = portal.cast["users"][name]
    pair = base64.b64encode(f"{person['username']}:{person['password']}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def cookie_of(portal: Portal, login: Request) -> dict[str, str]:
    """Sign in and answer the header that a browser would send."""
    connection = portal.connection()
    connection.request(login.method, login.path, headers=login.headers or {})
    answer = connection.getresponse()
    answer.read()
    return {"Cookie": str(answer.headers["Set-Cookie"]).partition(";")[0]}


FILL_ACME = """
from agents.models import Agent
from identity.models import Organization, User

acme = Organization.objects.get(name="acme")
missing = 501 - Agent.objects.filter(organization=acme).count()  # one of them is disabled
names = [f"bench{n}" for n in range(missing)]
people = User.objects.bulk_create(
    User(username=n, username_key=n, email=f"{n}@acme.example", email_key=f"{n}@acme.example") for n in names
)
Agent.objects.bulk_create(Agent(user=p, organization=acme, extension=f"09{p.pk:08}") for p in people)
"""


def oauth_client_credentials(portal: Portal) -> Request:
    return oauth_form(portal, "acme_service", "/security/oauth/token", grant_type="client_credentials")


def oauth_introspect(portal: Portal) -> Request:
    token = call(portal, oauth_client_credentials(portal))["access_token"]
    return oauth_form(portal, "acme_service", "/oauth/introspect", token=token)


def oauth_jwks(portal: Portal) -> Request:
    return Request("GET", "/.well-known/jwks.json")


def auvious_bearer(portal: Portal) -> Request:
    """A bearer read of one object: what proving the caller costs, with little besides."""
    application = portal.cast["applications"]["openid"]
    return Request("GET", f"/security/applications/{application}", headers=service_bearer(portal))


def ticket_redemption(portal: Portal) -> Request:
    """One ticket that many join by: what it costs to find it, and to open a session."""
    form = urlencode({"grant_type": "password", "username": ticket_of(portal)})
    return Request("POST", "/security/oauth/token", form.encode(), CUSTOMER)


def ticket_of(portal: Portal) -> str:
    """Make a ticket that serves many times and answer its id."""
    body = json.dumps({"type": "MULTI_USE_TICKET", "properties": {"conference_id": "room-1"}}).encode()
    return str(call(portal, Request("POST", "/security/ticket", body, JSON | service_bearer(portal)))["id"])


def auvious_code(portal: Portal) -> Callable[[int], Request]:
    """A code for somebody new, whose message a worker sends: its share of the CPU is counted, too."""
    headers, turn = service_bearer(portal), count()
    return lambda _n: code_for(portal, headers, next(turn))


def code_for(portal: Portal, headers: dict[str, str], number: int) -> Request:
    """The request for a code of the n-th mobile number."""
    body = json.dumps({"to": f"+4670{1740000 + number:07}", "channel": "SMS"}).encode()
    return Request("POST", "/security/otp", body, JSON | headers)


def service_bearer(portal: Portal) -> dict[str, str]:
    return {"Authorization": f"Bearer {call(portal, oauth_client_credentials(portal))['access_token']}"}


def oauth_form(portal: Portal, client: str, path: str, **form: str) -> Request:
    known = portal.cast["clients"][client]
    pair = base64.b64encode(f"{known['client_id']}:{known['client_secret']}".encode()).decode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": f"Basic {pair}"}
    return Request("POST", path, urlencode(form).encode(), headers)


def call(portal: Portal, request: Request) -> dict[str, Any]:
    """Send a request once and answer what it said."""
    connection = portal.connection()
    connection.request(request.method, request.path, body=request.body, headers=request.headers or {})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != request.status:
        raise SystemExit(f"{request.method} {request.path.split(';')[0]}: {answer.status} {said[:200]!r}")
    heard: dict[str, Any] = json.loads(said)
    return heard


PATHS: dict[str, Callable[[Portal], Request | Callable[[int], Request]]] = {
    "healthz": healthz,
    "platform28 /authenticate": platform28_login,
    "platform28 /session": platform28_session,
    "platform28 /session acting": platform28_session_acting,
    "platform28 /session setEffectiveUser": platform28_set_effective_user,
    "denovolab /v1/auth": denovolab_sign_in,
    "denovolab /v1/user": denovolab_user,
    "denovolab /v1/user acting": denovolab_user_acting,
    "denovolab /v1/auth/as_agent": denovolab_as_agent,
    "genesys login": genesys_login,
    "genesys /ping": genesys_ping,
    "ping /api/extensions/ of 500": ping_extensions,
    "ping /api/extensions/me by token": ping_me_by_token,
    "ping /api/extensions/me by cookie": ping_me_by_cookie,
    "ping /api/extensions/me by password": ping_me_by_password,
    "oauth client_credentials": oauth_client_credentials,
    "oauth introspect": oauth_introspect,
    "oauth jwks": oauth_jwks,
    "auvious bearer": auvious_bearer,
    "ticket redemption": ticket_redemption,
    "auvious /security/otp": auvious_code,
}
