"""Auvious' operations, one module per resource: read, one call into the house, render."""
