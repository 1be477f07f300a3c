"""Denovolab's words: the class 4 switch's "Authenticate as Agent" API and its neighbours (dialects.md 5).

Its oddities: the token comes in `X-Auth-Token` and lies inside `payload`; bodies are JSON whatever their media type says; an id
may be a number or its digits; refusals of a token carry a code from 110 to 114, and "may not" is a 401 too; an unknown agent
is the "Object not found error"; `agent_id` is the number of the agent record, not of the person; most of the User object is
constant here.
"""
