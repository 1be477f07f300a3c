"""Where the account pages are (operating.md 5, clarifications 21)."""

from __future__ import annotations

from django.urls import path

from identity.pages import account, entrance, factors, login_as, reset

urlpatterns = [
    path("", entrance.home),
    path("login/", entrance.login),
    path("login/company/", entrance.company),
    path("logout/", entrance.logout),
    path("language/", entrance.language, name="set_language"),
    path("login-as/", login_as.start),
    path("login-as/stop/", login_as.stop),
    path("reset/", reset.request_link),
    path("reset/choose/", reset.choose),
    path("reset/done/", reset.done),
    path("account/", account.account),
    path("account/password/", account.password),
    path("account/sessions/end/", account.end_other_sessions),
    path("account/sessions/<uuid:session_id>/end/", account.end_session),
    path("account/tokens/", account.make_token),
    path("account/tokens/<uuid:session_id>/revoke/", account.revoke_token),
    path("account/second-factor/", factors.enrol),
    path("account/second-factor/remove/", factors.remove),
    path("account/backup-codes/", factors.new_backup_codes),
]
