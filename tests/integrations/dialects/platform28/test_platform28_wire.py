"""Bytes on the wire: what the framework would make of them must not matter, and every refusal has the one envelope."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.wire("platform28", "1.1 calling rules")

NO_SESSION = "Specified session does not exist or the current user does not have access to it"
NOT_FOUND = (404, {"status": 404, "message": "Not found"})


class Wire:
    """Sends request lines as they are to a real server and reads the answer."""

    def __init__(self, portal):
        self.portal = portal

    def raw(self, method, target, body=b"", headers=()):
        lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers]
        if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
            lines.append(f"Content-Length: {len(body)}")
        answer = self.portal.say("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode("latin-1").lower(), content

    def ask(self, method, target, body=b"", headers=()):
        status, _head, content = self.raw(method, target, body, headers)
        return status, json.loads(content)

    def login(self, cast, name):
        body = json.dumps({"passwordHash": cast.digest(name)}).encode()
        status, said = self.ask("POST", f"/authenticate/{name}", body, ["Content-Type: application/json"])
        assert status == 200, said
        return said


@pytest.fixture
def wire(live_portal):
    return Wire(live_portal)


def test_matrix_parameters_are_split_from_the_raw_target(wire, cast):
    session = wire.login(cast, "bob")
    lsid, handle = session["lsid"], session["id"]
    found = {key: value for key, value in session.items() if key != "lsid"}

    for target in (
        f"/session/{handle};lsid={lsid}",
        f"/session;lsid={lsid}/{handle}",
        f"/session/{handle};lsid={lsid}?x=;lsid=other",
        f"/session/{handle};a;b=c;lsid={lsid};lsid={lsid}",
        f"/%73ession/{handle};%6csid={lsid}",
        f"http://127.0.0.1/session/{handle};lsid={lsid}",
    ):
        assert wire.ask("GET", target) == (200, found), target


def test_an_encoded_semicolon_divides_nothing(wire, cast):
    session = wire.login(cast, "bob")
    lsid, handle = session["lsid"], session["id"]
    unknown = (404, {"status": 404, "message": NO_SESSION})

    for segment in (f"{handle}%3B", f"{handle}%3Blsid={lsid}", f"{handle}%3blsid%3D{lsid}", f"%3B{handle}"):
        assert wire.ask("GET", f"/session/{segment};lsid={lsid}") == unknown, segment
    required = (401, {"status": 401, "message": "Authentication required"})
    assert wire.ask("GET", f"/session/{handle}%3Blsid={lsid}") == required


def test_dot_segments_and_doubled_slashes_are_no_addresses_and_are_redirected_nowhere(wire, cast):
    session = wire.login(cast, "bob")
    lsid, handle = session["lsid"], session["id"]

    for target in (
        f"/session/../session/{handle};lsid={lsid}",
        f"/session/./{handle};lsid={lsid}",
        f"/session/%2e%2e/session/{handle};lsid={lsid}",
        f"/session/..;/{handle};lsid={lsid}",
        f"/session//{handle};lsid={lsid}",
        f"//session/{handle};lsid={lsid}",
        f"/session/{handle}/;lsid={lsid}",
        f"/session/{handle}/nope;lsid={lsid}",
        f"/session;lsid={lsid}",
        f"/session/;lsid={lsid}",
        f"/sessions/{handle}",
        "/authenticate",
        "/authenticate/block/",
        "/password/reset/1/2",
        "/passwords",
    ):
        for method in ("GET", "POST", "OPTIONS"):
            assert wire.ask(method, target) == NOT_FOUND, (method, target)


STRANGE = ("%00", "a%00b", "%FF%FE", "%ED%A0%80", "%E5", "%0d%0aX-Evil:1", "%C3%A5", "'", "x" * 4000)


def test_strange_ids_are_unknown_ids(wire, cast):
    lsid = wire.login(cast, "alice")["lsid"]
    messages = {
        ("GET", "/session/{}"): NO_SESSION,
        ("DELETE", "/session/user/{}"): "Couldn't find the specified user",
        ("POST", "/authenticate/block/{}"): "Couldn't find the specified user",
        ("PUT", "/password/{}"): "A user with the given ID and Password was not found",
    }

    for segment in STRANGE:
        for (method, path), message in messages.items():
            said = wire.ask(method, f"{path.format(segment)};lsid={lsid}")
            assert said == (404, {"status": 404, "message": message}), (method, path, segment)


METHODS = {
    "/authenticate/bob": "POST",
    "/authenticate/block/bob": "DELETE, GET, HEAD, POST",
    "/session/1": "DELETE, GET, HEAD",
    "/session/1/setEffectiveUser": "POST",
    "/session/1/assumedIdentity": "DELETE",
    "/session/1/setEffectiveOrg": "POST",
    "/session/user/1": "DELETE",
    "/session/1/clone": "POST",
    "/password/reset": "POST",
    "/password/reset/1": "POST",
    "/password/resetWithToken": "POST",
    "/password/1": "PUT",
}


def test_an_unmapped_method_is_405_with_allow_before_anything_else(wire, cast):
    for target, allowed in METHODS.items():
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FROB"):
            if method in allowed.split(", "):
                continue
            status, head, content = wire.raw(
                method, f"{target};lsid=a;lsid=b", b"{", ["Content-Type: application/json"]
            )
            assert (status, f"\r\nallow: {allowed.lower()}\r\n" in head) == (405, True), (method, target, head)
            if method != "HEAD":
                assert json.loads(content) == {"status": 405, "message": "Method not allowed"}


DEEP = b'{"passwordHash":' + b"[" * 5000 + b"]" * 5000 + b"}"
HOSTILE = {
    "half": b'{"a":',
    "twice": b'{"a":1,"a":2}',
    "deep": DEEP,
    "deeper than 32": b"[" * 33 + b"]" * 33,
    "a NUL": b'{"email":"a\\u0000b"}',
    "half a character": b'{"email":"\\ud800"}',
    "no UTF-8": b'{"email":"\xff"}',
    "a mark": b'\xef\xbb\xbf{"email":"a@b"}',
    "65 bits": b'{"userId":18446744073709551616}',
    "infinite": b'{"userId":1e999}',
    "not a number": b'{"userId":NaN}',
}


def test_an_unreadable_body_is_400(wire, cast):
    lsid = wire.login(cast, "bob")["lsid"]
    bad_post = (400, {"status": 400, "message": "Invalid request in POST body"})
    bad = (400, {"status": 400, "message": "Invalid request body"})

    for what, body in HOSTILE.items():
        for method, target, expected in (
            ("POST", "/authenticate/bob", bad_post),
            ("POST", "/password/reset", bad_post),
            ("POST", "/password/resetWithToken", bad_post),
            ("POST", f"/session/x/setEffectiveUser;lsid={lsid}", bad_post),
            ("POST", f"/session/x/setEffectiveOrg;lsid={lsid}", bad_post),
            ("DELETE", f"/session/x;lsid={lsid}", bad),
            ("PUT", f"/password/1;lsid={lsid}", bad),
        ):
            said = wire.ask(method, target, body, ["Content-Type: application/json"])
            assert said == expected, (what, target)


def test_a_foreign_charset_and_a_repeated_form_field_are_400(wire):
    bad_post = (400, {"status": 400, "message": "Invalid request in POST body"})
    charset = ["Content-Type: application/json; charset=utf-16"]
    assert wire.ask("POST", "/authenticate/bob", b"{}", charset) == bad_post
    form = ["Content-Type: application/x-www-form-urlencoded"]
    for body in (b"passwordHash=a&passwordHash=a", b"passwordHash=%ff", b"passwordHash=\xff", b"a=%00"):
        assert wire.ask("POST", "/authenticate/bob", body, form) == bad_post


def test_ten_megabytes_are_413(wire):
    body = b'{"email":"' + b"x" * 10_000_000 + b'"}'
    expected = (413, {"status": 413, "message": "The request body is too large"})

    assert wire.ask("POST", "/password/reset", body, ["Content-Type: application/json"]) == expected
    assert wire.ask("PUT", "/password/1", body, ["Content-Type: application/json"]) == expected


def test_a_chunked_body_is_read_and_never_an_empty_one_by_mistake(wire, cast):
    session = wire.login(cast, "bob")
    other = wire.login(cast, "bob")
    chunked = ["Transfer-Encoding: chunked", "Content-Type: application/json"]

    status, _said = wire.ask(
        "DELETE", f"/session/{session['id']};lsid={session['lsid']}", b"4\r\ntrue\r\n0\r\n\r\n", chunked
    )

    if status == 200:
        assert wire.ask("GET", f"/session/{other['id']};lsid={other['lsid']}")[0] == 401
    else:
        assert status == 411


def test_an_end_holds_in_every_process_and_no_log_line_holds_the_secret(wire, cast):
    session = wire.login(cast, "bob")
    target, key = f"/session/{session['id']};lsid={session['lsid']}", cast.said["api_keys"]["acme"]
    assert wire.ask("GET", f"/session/{session['lsid']};lsid={session['lsid']}")[0] == 200

    assert wire.ask("DELETE", target)[0] == 200

    assert {wire.ask("GET", target)[0] for _ in range(12)} == {401}
    wire.ask("GET", f"/session/{session['lsid']}/x?apiKey={key}")
    wire.raw("GET", f"/session/{session['lsid']} HTTP/9.9 {key}")
    log = wire.portal.log.read_text()
    assert "Unauthorized" in log
    assert [secret for secret in (session["lsid"], key, cast.digest("bob")) if secret in log] == []
