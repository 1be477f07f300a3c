"""Ping's words: the Swedish operator's extensions API, a rendering of the older Telavox one (dialects.md 2).

Its oddities: three ways to prove oneself on every resource, of which `Authorization` is tried first and, once sent, decides; a
login that answers GET as well as POST; tokens of one person for one domain, which a browser's page outside of that domain cannot
use; times without a zone, which are UTC here; "no end" is the date 0000-00-00; every address with and without a slash at its end.
"""
