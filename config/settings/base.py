"""What Django, DRF and Celery are told in every environment; a laptop runs on exactly this."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from config.database import database
from config.environment import kept_secret
from config.logging import configured
from config.settings.declared import *
from config.settings.declared import PORTAL_ENV
from config.settings.queues import *

BASE_DIR = Path(__file__).resolve().parents[2]
PUBLIC_HOST = urlsplit(PUBLIC_URL).hostname or "localhost"
EMAIL_FROM = EMAIL_FROM or f"switchboard@{PUBLIC_HOST}"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = EMAIL_FROM

# --- secrets ---------------------------------------------------------------------------------------------------------
if PORTAL_ENV != "production":
    SECRET_KEY = SECRET_KEY or kept_secret(DATA_DIR / "secret_key")
    ENCRYPTION_KEYS = ENCRYPTION_KEYS or [kept_secret(DATA_DIR / "encryption_keys")]
    DIGEST_KEYS = DIGEST_KEYS or [kept_secret(DATA_DIR / "digest_keys")]

# --- what is installed -----------------------------------------------------------------------------------------------
DEBUG = False  # never: an error page with settings and variables on it is a leak on a laptop too
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
INSTALLED_APPS = [
    "config.admin_app.SwitchboardAdminConfig",  # the AdminSite is ours: config/admin.py
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "csp",
    "django_otp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "identity",
    "tickets",
    "agents",
    "integrations",
    "config",
]
MIDDLEWARE = [
    "config.metrics.Metrics",
    "config.middleware.RequestId",
    "config.middleware.ClientAddress",
    "config.middleware.MatrixParameters",
    "config.middleware.RefuseTrace",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "integrations.cors.Cors",  # behind the one that refuses foreign hosts
    "django.middleware.csrf.CsrfViewMiddleware",
    "identity.pages.middleware.PortalAuthentication",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
SILENCED_SYSTEM_CHECKS = [
    "admin.E410",  # the portal keeps its own Session rows: Django's would be a second way to be signed in
    "auth.W004",  # names are unique as folded: User.username_key
]
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.pages.environment",
            ]
        },
    }
]

# --- what is stored --------------------------------------------------------------------------------------------------
DATABASES = {"default": database(DATABASE_URL, DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Without Redis the cache is each process's own: nothing that must be agreed on (a limit, a claim) may live in it.
CACHES = {
    "default": (
        {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
        if REDIS_URL
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

# --- who is who ------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "identity.User"
# Proves nobody and grants nothing: identity.sign_in is the one way in, identity.policy the one who grants.
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.BaseBackend"]
PASSWORD_HASHERS = [
    "identity.crypto.DigestArgon2Hasher",
    # What imported accounts may hold; upgraded at their owner's next login.
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.BCryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": PASSWORD_MIN_LENGTH},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "email", "first_name", "last_name")},
    },
]

# Ways in beside the password; identity finds them by name, for they live further up.
OTHER_WAYS_IN = "integrations.stories.sign_in_with.Ways"

# --- what a browser is told ------------------------------------------------------------------------------------------
ALLOWED_HOSTS = ALLOWED_HOSTS or sorted({"127.0.0.1", "localhost", "[::1]", PUBLIC_HOST})
PORTAL_COOKIE = "switchboard"
ACTING_COOKIE = "switchboard_acting"
CSRF_COOKIE_NAME = "csrftoken"
CSRF_COOKIE_SECURE = CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = ["{0.scheme}://{0.netloc}".format(urlsplit(PUBLIC_URL))]
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
SESSION_COOKIE_SECURE = SESSION_COOKIE_HTTPONLY = True  # the message cookie takes its flags from these
SESSION_COOKIE_SAMESITE = "Lax"
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/desk/"
SECURE_CONTENT_TYPE_NOSNIFF = True
# same-origin and not no-referrer: a page sent with the latter posts `Origin: null` and fails the CSRF check.
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_048_576
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200
USE_X_FORWARDED_HOST = USE_X_FORWARDED_PORT = False
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True  # served from where they lie: nothing is collected, nothing is written
WHITENOISE_AUTOREFRESH = False

# --- the wire --------------------------------------------------------------------------------------------------------
# Closed by default: a dialect names how its callers prove themselves in its own views.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "integrations.openapi.DialectSchema",
    "UNAUTHENTICATED_USER": None,
    "NUM_PROXIES": TRUSTED_PROXIES,
}
# What a page of a listed origin may send and read (dialects.md 4.1); which origins those are: integrations/cors.py.
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOW_METHODS = ["GET", "POST", "PUT", "DELETE", "OPTIONS"]
CORS_ALLOW_HEADERS = [
    "X-Requested-With", "Content-Type", "Accept", "Origin", "Cookie", "authorization", "ssid", "surl", "ContactCenterId", "X-CSRF-TOKEN", "X-Support-CSRFP",
]  # fmt: skip
CORS_EXPOSE_HEADERS = ["X-CSRF-HEADER", "X-CSRF-TOKEN"]
CORS_PREFLIGHT_MAX_AGE = 600
SRS_VERSION = "8.5.302.10"  # told to everybody, so a constant and no real build
SPECTACULAR_SETTINGS = {
    "TITLE": "Switchboard",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    # Choices stay where they are used: names for them would have to be agreed on by all dialects.
    "POSTPROCESSING_HOOKS": [],
}

# --- what leaves the house -------------------------------------------------------------------------------------------
SPOOL_GATEWAY = "integrations.gateways.spool.SpoolGateway"
MAIL_GATEWAY = "integrations.gateways.email.SmtpGateway" if EMAIL_URL else SPOOL_GATEWAY
PHONE_GATEWAY = "integrations.gateways.twilio.TwilioGateway" if SMS_URL else SPOOL_GATEWAY
GATEWAYS = {"EMAIL": MAIL_GATEWAY, "SMS": PHONE_GATEWAY, "VOICE": PHONE_GATEWAY}

# --- what is written down --------------------------------------------------------------------------------------------
LOGGING = configured(LOG_LEVEL)

# --- words and times -------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("sv", "Svenska")]
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
USE_I18N = True
FORMAT_MODULE_PATH = ["config.formats"]
USE_TZ = True
TIME_ZONE = "UTC"
