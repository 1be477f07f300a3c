"""Tickets: what lets a customer in, for a while, without an account."""
