"""Wiring: what the other apps are run with; it may import all of them and is imported by none."""
