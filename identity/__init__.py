"""People, organisations, machines, and proof of who they are."""
