"""How the tables of the wiring came to be."""
