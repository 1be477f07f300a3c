"""The partners' systems: what an application of theirs must hold, and how they are called."""
