"""What the account pages ask people for; forms hold no rules but lengths, the domain says the rest."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from identity import personal_tokens
from identity.errors import Invalid

LONGEST_PASSWORD = 1000


class Form(forms.Form):
    """A plain form that can show what the domain refused."""

    required_css_class = "sb-field--required"

    def blame(self, error: Invalid) -> None:
        """Show a refusal beside its fields, or above all when it speaks of none of them."""
        for name, sentences in error.fields.items():
            self.add_error(name if name in self.fields else None, sentences)


def password_field(label: Any, *, is_new: bool = False, **more: Any) -> forms.CharField:
    """Answer a field for a password, which is never trimmed and never sent back."""
    attrs = {"autocomplete": "new-password" if is_new else "current-password"}
    widget = forms.PasswordInput(attrs=attrs, render_value=False)
    return forms.CharField(label=label, strip=False, max_length=LONGEST_PASSWORD, widget=widget, **more)


def code_field(**more: Any) -> forms.CharField:
    """Answer a field for a code of an authenticator app, or a backup code."""
    attrs = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
    return forms.CharField(label=_("Code"), max_length=40, widget=forms.TextInput(attrs=attrs), **more)


class SignIn(Form):
    """Name, password, and a code when it is asked for; `next` travels along."""

    username = forms.CharField(
        label=_("User name or e-mail address"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = password_field(_("Password"))
    next = forms.CharField(required=False, widget=forms.HiddenInput)

    def ask_for_code(self) -> None:
        """Let the form ask for the second factor too."""
        self.fields["otp"] = code_field(
            required=False, help_text=_("From your authenticator app, or one of your backup codes.")
        )


class Company(Form):
    """An e-mail address, of which only the company counts; `next` and `again` travel along."""

    email = forms.EmailField(
        label=_("E-mail address at work"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    next = forms.CharField(required=False, widget=forms.HiddenInput)
    again = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **more: Any) -> None:
        # Beside another form on the same page: their fields must not share an id.
        super().__init__(*args, **{"auto_id": "company_%s", **more})


class ResetRequest(Form):
    """Where the link shall go."""

    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class NewPassword(Form):
    """A new password."""

    password = password_field(
        _("New password"),
        is_new=True,
        # Not by %, which would settle the language when the portal starts.
        help_text=format_lazy(
            _("{number} characters or more. Three or four words are easy to keep in mind."),
            number=settings.PASSWORD_MIN_LENGTH,
        ),
    )


class PasswordChange(NewPassword):
    """The old password and a new one."""

    old_password = password_field(_("Your password now"))
    field_order = ("old_password", "password")


class Enrolment(Form):
    """The first code of an authenticator app."""

    otp = code_field(help_text=_("Six digits."))


class SecondFactor(Form):
    """A code, where everything else is proven."""

    otp = code_field(help_text=_("From your authenticator app, or one of your backup codes."))


class FactorRemoval(Form):
    """The password, and a last code."""

    password = password_field(_("Password"))
    otp = code_field(help_text=_("From your authenticator app, or one of your backup codes."))


class NewToken(Form):
    """What a personal token is for, where it is used, and how long."""

    label = forms.CharField(label=_("What it is for"), max_length=100)
    domain = forms.CharField(
        label=_("Domain that it is used from"),
        max_length=253,
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )
    lifetime = forms.IntegerField(
        label=_("Days that it lives"),
        min_value=1,
        max_value=personal_tokens.LONGEST.days,
        initial=personal_tokens.LIFETIME.days,
    )


class LoginAs(Form):
    """Whom to work as, why and how; the names are those of clarifications 21. What they may be is the domain's to say."""

    user_id = forms.CharField(required=False)
    reason = forms.CharField(required=False)
    mode = forms.CharField(required=False)
    next = forms.CharField(required=False)


class Language(Form):
    """A language, and where the person was."""

    language = forms.CharField(max_length=20)
    next = forms.CharField(required=False)
