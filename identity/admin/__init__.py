"""The admin's pages of identity, a module per task; they show rows and call verbs, and hold no rule."""

from identity.admin import access, audit, clients, codes, keys, live, messages, organization

__all__ = ["access", "audit", "clients", "codes", "keys", "live", "messages", "organization"]
