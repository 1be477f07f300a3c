"""Operator commands that touch several apps."""
