"""The languages that are spoken here, one package each; a new one is a folder and its name in this list."""

DIALECTS = ("platform28", "ping", "auvious", "genesys", "denovolab", "oauth")
