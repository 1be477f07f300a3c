"""An OpenID provider as another company runs it: Django OAuth Toolkit, in a process of its own, with people of its own.

Nothing of Switchboard is in it: another OAuth library, another JOSE library. Its environment says where it is and who is known.
"""

# ruff: noqa: E402  # Django's models want its settings before they are imported

from __future__ import annotations

import json
import os
from typing import Any

import django
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings

# It serves on loopback, without TLS.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
PEOPLE: dict[str, dict[str, Any]] = json.loads(os.environ["PROVIDER_PEOPLE"])
CLIENT: dict[str, str] = json.loads(os.environ["PROVIDER_CLIENT"])
SIGN_IN = """<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>
<form method="post">{% csrf_token %}{{ form.as_p }}<button>Log in</button></form>"""


def _key() -> str:
    made = rsa.generate_private_key(65537, 2048)
    return made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


settings.configure(
    SECRET_KEY="elsewhere" * 8,
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["PROVIDER_DATABASE"]}},
    MIGRATION_MODULES=dict.fromkeys(("auth", "contenttypes", "sessions", "oauth2_provider")),
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    ("django.template.loaders.locmem.Loader", {"registration/login.html": SIGN_IN}),
                    "django.template.loaders.app_directories.Loader",
                ]
            },
        }
    ],
    LOGIN_URL="/login",
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    SESSION_COOKIE_NAME="elsewhere",  # cookies know no ports: the portal of the test is on this host, too
    CSRF_COOKIE_NAME="elsewhere_csrf",
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": _key(),
        "OAUTH2_VALIDATOR_CLASS": f"{__name__}.Validator",
        "SCOPES": {"openid": "openid", "profile": "profile", "email": "email"},
        "PKCE_REQUIRED": True,
        "OIDC_RP_INITIATED_LOGOUT_ENABLED": True,
        "OIDC_RP_INITIATED_LOGOUT_ALWAYS_PROMPT": False,
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
    },
)
django.setup()

from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path
from oauth2_provider.models import Application
from oauth2_provider.oauth2_validators import OAuth2Validator


class Validator(OAuth2Validator):  # type: ignore[misc]  # it ships no types
    """Tells of each person what the environment says."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, Any]:
        claims: dict[str, Any] = PEOPLE[request.user.username]["claims"]
        return claims


urlpatterns = [
    path("login", LoginView.as_view()),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]

call_command("migrate", run_syncdb=True, verbosity=0)
for name, known in PEOPLE.items():
    User.objects.create_user(name, password=known["password"])
Application.objects.create(
    client_id=CLIENT["id"], client_secret=CLIENT["secret"], client_type="confidential", authorization_grant_type="authorization-code",
    redirect_uris=CLIENT["redirect_uris"], post_logout_redirect_uris=CLIENT["post_logout_redirect_uris"], algorithm="RS256",
    skip_authorization=True,
)  # fmt: skip
application = get_wsgi_application()
