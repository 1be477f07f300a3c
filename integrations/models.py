"""Records of what we ask of systems outside; dialects never look here."""
