"""Pages for people that a system outside has a part in."""
