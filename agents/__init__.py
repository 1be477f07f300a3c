"""Agents: the extension, presence, place and desk of the people who answer."""
