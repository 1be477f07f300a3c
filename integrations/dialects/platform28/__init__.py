"""Platform28's words: the "Auth V2" page of its Cloud API (dialects.md 1).

Its oddities: the session id, LSID, travels as a matrix parameter (`/session/42;lsid=…`), the API key as a query parameter, each
with a header as its safer twin; the caller hashes the password, so the digest is what a password is elsewhere; bodies may be a
bare scalar under any media type; "absent" and "no access" are one sentence; every success is 200; while a session assumes
somebody's identity, its `userId` stays the real person's.
"""
