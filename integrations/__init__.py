"""The edge: foreign dialects in, gateways and vendors out."""
