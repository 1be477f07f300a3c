"""Auvious' words: the Auth Server's HTTP API below `/security` (dialects.md 3), its token endpoint aside (see `oauth`).

Its oddities: ids in paths are plain strings; lists are bare arrays; a delete of a ticket answers 200 and every other one 204;
`organizationId` and `id` may be sent by internal services only, who are bound to no organisation; what of an application's
`config` is seen depends on who looks; the grants of persons are the vendor's own permission strings; unknown fields of a body
are ignored.
"""
