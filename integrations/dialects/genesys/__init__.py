"""Genesys' words: the Client Login API of its Screen Recording Service (SRS), by which an agent's desktop says who sits there
(dialects.md 4).

Its oddities: OPTIONS is answered to everybody; login is a GET, or a POST whose body is an array or empty, and logout is a POST of
an object to the same address; answers carry a `statusCode` of their own; the cookie lives ten minutes and, once a `/ping` came,
one minute from ping to ping; a page of another site logs in, so the cookie says `SameSite=None; Partitioned`, and a token against
forgery comes with it when the page asks for one.
"""
