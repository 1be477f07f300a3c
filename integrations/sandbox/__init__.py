"""Stand-ins for the vendors on a laptop: a small HTTP server that knows the demo's clients and two of its people. Never in production.

It imports nothing of the house and keeps nothing: a process of its own, in whose memory everything random is made anew.
"""
