"""Who signs people in elsewhere: an organisation's applications as providers, in the words of OpenID Connect or of Genesys."""
