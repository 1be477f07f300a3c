"""The account pages every person has."""
