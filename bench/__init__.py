"""Measurements: every figure that is said of the portal is printed by a command here."""
