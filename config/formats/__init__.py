"""How dates and times are written, per language: the same in all, for they are compared and never misread."""
