"""Every name that an operator may set, with its default and meaning; docs/settings.md is printed from here."""

from __future__ import annotations

import os

from config.environment import Environment

environment = Environment(os.environ)

WEB = ("http", "https")

PORTAL_ENV = environment.text(
    "PORTAL_ENV", "development", "`production` chooses the hardened settings.", choices=("development", "production")
)
BIND = environment.text("BIND", "127.0.0.1", "The address to listen on.")
PORT = environment.integer("PORT", 8000, "The port to listen on.", most=65535)
WEB_PROCESSES = environment.integer(
    "WEB_PROCESSES",
    min(os.cpu_count() or 1, 4),
    "Web server processes; the default is chosen for the machine.",
    most=64,
)
WEB_THREADS = environment.integer("WEB_THREADS", 8, "Threads of each web server process.", most=256)
WORKER_CONCURRENCY = environment.integer(
    "WORKER_CONCURRENCY", 4, "Tasks that the Celery worker runs at the same time.", most=256
)
DATA_DIR = environment.path("DATA_DIR", "var", "Holds everything that is written at run time.")
DATABASE_URL = environment.url(
    "DATABASE_URL",
    "",
    "`postgres://user:password@host:port/name`; empty: SQLite in `DATA_DIR`.",
    schemes=("postgres", "postgresql", "sqlite"),
    secret=True,
)
REDIS_URL = environment.url(
    "REDIS_URL", "", "Cache; empty: in-process.", schemes=("redis", "rediss", "unix"), secret=True
)
CELERY_BROKER_URL = environment.url(
    "CELERY_BROKER_URL",
    "embedded://database",
    "`redis://…` or `amqp://…`; `embedded://database` is a table of the portal's own database.",
    schemes=("embedded", "redis", "rediss", "amqp", "amqps", "memory"),
    secret=True,
)
PUBLIC_URL = environment.url(
    "PUBLIC_URL",
    f"http://127.0.0.1:{PORT}",
    "Base of every absolute link; the `Host` header never builds one.",
    schemes=WEB,
)
TRUSTED_PROXIES = environment.integer(
    "TRUSTED_PROXIES", 0, "How many proxies in front are believed for the client address and scheme.", least=0, most=10
)
ALLOWED_HOSTS = environment.words(
    "ALLOWED_HOSTS", "", "Exact host names served; empty: loopback names and the host of `PUBLIC_URL`."
)
CORS_ALLOWED_ORIGINS = environment.origins(
    "CORS_ALLOWED_ORIGINS",
    "",
    "Origins allowed besides the organisations' own: exact, or `https://*.example.com`.",
)

SECRET_KEY = environment.text(
    "SECRET_KEY", "", "Django's signing; empty: made in `DATA_DIR` on the first run. Ends no credential.", secret=True
)
SECRET_KEY_FALLBACKS = environment.words(
    "SECRET_KEY_FALLBACKS", "", "Former values of `SECRET_KEY` that are still accepted.", secret=True
)
ENCRYPTION_KEYS = environment.words(
    "ENCRYPTION_KEYS",
    "",
    "Seal stored secrets, newest first, all tried; empty: made in `DATA_DIR` on the first run.",
    secret=True,
)
DIGEST_KEYS = environment.words(
    "DIGEST_KEYS",
    "",
    "HMAC-SHA-256 of stored tokens, tickets and codes, newest first, all tried; empty: made in `DATA_DIR`.",
    secret=True,
)
METRICS_TOKEN = environment.text(
    "METRICS_TOKEN", "", "Bearer token that may read `/metrics` in production besides loopback.", secret=True
)

PASSWORD_MIN_LENGTH = environment.integer(
    "PASSWORD_MIN_LENGTH", 12, "Shortest password accepted where a clear one is set.", least=8, most=128
)
PASSWORD_HASH_TIME_COST = environment.integer("PASSWORD_HASH_TIME_COST", 2, "Argon2id iterations.", most=100)
PASSWORD_HASH_MEMORY_KIB = environment.integer(
    "PASSWORD_HASH_MEMORY_KIB", 19456, "Argon2id memory in KiB.", least=8, most=4194304
)

MESSAGE_SPOOL = environment.path(
    "MESSAGE_SPOOL", str(DATA_DIR / "messages"), "Folder in which the development gateway writes messages."
)
EMAIL_URL = environment.url(
    "EMAIL_URL",
    "",
    "`smtp://user:password@host:port/?tls=1`; empty: the spool.",
    schemes=("smtp",),
    secret=True,
    needs=("host",),
)
EMAIL_FROM = environment.text("EMAIL_FROM", "", "Sender of e-mails; empty: switchboard@ the host of `PUBLIC_URL`.")
SMS_URL = environment.url(
    "SMS_URL",
    "",
    "`twilio://ACCOUNT_SID:AUTH_TOKEN@default/?from=+46…` (SMS and voice); empty: the spool.",
    schemes=("twilio",),
    secret=True,
    needs=("user", "password", "from"),
)
TWILIO_BASE_URL = environment.url("TWILIO_BASE_URL", "", "Where Twilio is; empty: its own address.", schemes=WEB)
GENESYS_BASE_URL = environment.url("GENESYS_BASE_URL", "", "Where Genesys is; empty: its own address.", schemes=WEB)
TALKDESK_BASE_URL = environment.url("TALKDESK_BASE_URL", "", "Where Talkdesk is; empty: its own address.", schemes=WEB)
NICE_BASE_URL = environment.url("NICE_BASE_URL", "", "Where NICE is; empty: its own address.", schemes=WEB)
OPENID_BASE_URL = environment.url(
    "OPENID_BASE_URL", "", "Where the OpenID provider is; empty: at the issuer of each application.", schemes=WEB
)
UPSTREAM_TIMEOUT_SECONDS = environment.integer("UPSTREAM_TIMEOUT_SECONDS", 5, "Bounds every call to a vendor.", most=60)

LSID_IDLE_SECONDS = environment.integer("LSID_IDLE_SECONDS", 1800, "Idle life of a Platform28 session.")
LSID_LIFETIME_SECONDS = environment.integer("LSID_LIFETIME_SECONDS", 43200, "Absolute life of a Platform28 session.")
ACCESS_TOKEN_SECONDS = environment.integer("ACCESS_TOKEN_SECONDS", 3600, "Life of an Auvious access token.")
REFRESH_TOKEN_SECONDS = environment.integer(
    "REFRESH_TOKEN_SECONDS", 86400, "Absolute life of an Auvious refresh token."
)
OAUTH_QUERY_PARAMETERS = environment.text(
    "OAUTH_QUERY_PARAMETERS",
    "refuse",
    "Whether the token endpoint also reads parameters from the query, where logs and proxies see secrets.",
    choices=("refuse", "accept"),
)
SRS_PING_SECONDS = environment.integer("SRS_PING_SECONDS", 60, "Genesys keep-alive.")
TICKET_TTL_SECONDS = environment.integer("TICKET_TTL_SECONDS", 14400, "Default life of a ticket.")
OTP_LIFETIME_SECONDS = environment.integer("OTP_LIFETIME_SECONDS", 600, "Life of a one-time code.")
OTP_MAX_CHECKS = environment.integer("OTP_MAX_CHECKS", 5, "Wrong codes before a verification is exhausted.")
OTP_MAX_SENDS = environment.integer("OTP_MAX_SENDS", 5, "Sends of one recipient within the life of a code.")
OTP_RESEND_SECONDS = environment.integer("OTP_RESEND_SECONDS", 20, "Least pause between two sends.", least=0)
PASSWORD_RESET_SECONDS = environment.integer("PASSWORD_RESET_SECONDS", 1800, "Life of a password-reset token.")
LOGIN_AS_SECONDS = environment.integer(
    "LOGIN_AS_SECONDS", 1800, "Absolute cap of a login-as session; more than 3600 is cut to 3600.", cut_to=3600
)
LOCKOUT_FAILURES = environment.integer("LOCKOUT_FAILURES", 10, "Failures of one submitted name before it is blocked.")
LOCKOUT_SECONDS = environment.integer("LOCKOUT_SECONDS", 900, "How long a blocked name stays blocked.")
OTP_PER_ORGANISATION = environment.rate("OTP_PER_ORGANISATION", "10000/day", "One-time codes per organisation.")
OTP_PER_CLIENT = environment.rate("OTP_PER_CLIENT", "10000/day", "One-time codes per client or application.")
OTP_PER_PREFIX = environment.rate("OTP_PER_PREFIX", "1000/hour", "One-time codes per range of numbers.")
OTP_PER_RECIPIENT = environment.rate("OTP_PER_RECIPIENT", "20/day", "One-time codes per recipient.")
OTP_FAILURES_PER_RECIPIENT = environment.rate(
    "OTP_FAILURES_PER_RECIPIENT", "20/day", "Wrong codes of one recipient before no new code is made for it."
)
OTP_PREFIX_UNENTERED = environment.rate(
    "OTP_PREFIX_UNENTERED", "200/day", "Numbers of one range that never entered a code before the range is paused."
)
THROTTLE_LOGIN_PER_ADDRESS = environment.rate(
    "THROTTLE_LOGIN_PER_ADDRESS", "60/min", "Failed logins per client address, all dialects together."
)
THROTTLE_REDEEM_PER_ADDRESS = environment.rate(
    "THROTTLE_REDEEM_PER_ADDRESS", "30/min", "Failed ticket redemptions per client address."
)
THROTTLE_OTP_PER_ADDRESS = environment.rate(
    "THROTTLE_OTP_PER_ADDRESS", "20/hour", "Requests for a one-time code per client address."
)
LOG_LEVEL = environment.text(
    "LOG_LEVEL", "INFO", "The least level that is logged.", choices=("DEBUG", "INFO", "WARNING", "ERROR")
)
