"""What joins several concepts and a system outside, with what has to be undone when one of them fails."""
