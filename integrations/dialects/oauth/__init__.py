"""The RFCs' own words: OAuth 2.0 and OpenID Connect (RFC 6749, 7009, 7517, 7636, 7662, 8414, 8693; dialects.md 3.0).

Its oddities: the token endpoint lies below Auvious' prefix, because that vendor's programs look for it there; forms in, JSON
out, and everything that is not a form is `invalid_request` before the client is looked at; a client that cannot prove itself is
401 with `Basic`, a grant that does not hold is 400; `customer` with an empty secret is a public client, for the holders of
tickets; a person comes with a single-use code where the password goes; the browser's part (`/oauth/authorize`) is a page and
stands on the portal's own session.
"""
