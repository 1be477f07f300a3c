"""The agent's browser: the desk."""
