"""The pages of keys: those that organisations keep here, and those that sign our tokens."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import clock, keys, tokens
from identity.admin.made import OwnedForm, OwnedHere
from identity.admin.rows import Deed, OfOneOrganization, asker, badge, sees_all
from identity.models import Key, SigningKey
from identity.policy import Permission

# The one sort of key that is kept, by the name that callers ask for it.
TYPE = "SSH_RSA"


class UnshownTextarea(forms.Textarea):
    """A text area that never sends back what was typed into it: a refused form must not repeat a private key."""

    def format_value(self, value: Any) -> str:
        return ""


class NewKeyForm(OwnedForm):
    """A key to be: a new pair, or one that is brought along."""

    private_key = forms.CharField(
        required=False, max_length=keys.LONGEST_TEXT, label=gettext_lazy("Private key to import"), strip=True,
        widget=UnshownTextarea(attrs={"rows": 6, "class": "vLargeTextField", "spellcheck": "false", "autocomplete": "off"}),
        help_text=gettext_lazy("Unencrypted RSA as PKCS#1, PKCS#8 or OpenSSH text. Empty makes a new pair here."),
    )  # fmt: skip

    class Meta:
        model = Key
        fields = ("comment",)


@admin.register(Key)
class KeyAdmin(OwnedHere):
    """Kept keys: make, import, copy the public part; the private one leaves by its own door only."""

    reads = adds = Permission.KEYS_MANAGE
    new_form = NewKeyForm
    list_display = ("name", "fingerprint", "type", "size", "created_at")
    list_select_related = ("organization",)
    sortable_by = ("created_at",)
    search_fields = ("comment",)
    readonly_fields = (
        "id",
        "type",
        "size",
        "comment",
        "public_part",
        "fingerprint",
        "organization",
        "created_by",
        "created_at",
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        whose = ("organization",) if sees_all(request) else ()
        return ((None, {"fields": self.readonly_fields if obj is not None else ("comment", *whose, "private_key")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        said = form.cleaned_data
        made = keys.create(
            by=asker(request), organization=self.owner(request, said), type_=TYPE, private_key=said["private_key"] or None, comment=said["comment"]
        )  # fmt: skip
        obj.pk = made.pk

    @admin.display(description=gettext_lazy("comment"))
    def name(self, key: Key) -> str:
        return str(key)

    @admin.display(description=gettext_lazy("fingerprint"))
    def fingerprint(self, key: Key) -> SafeString:
        return format_html('<code class="sb-whole">{}</code>', keys.fingerprint(key))

    @admin.display(description=gettext_lazy("public key"))
    def public_part(self, key: Key) -> SafeString:
        return format_html('<pre class="sb-whole">{}</pre>', f"{key.public_key} {key.comment}".strip())


def _drop(request: HttpRequest, key: SigningKey) -> str:
    tokens.drop(by=asker(request), kid=key.kid)
    return _("The key is gone, and every token that it signed is refused.")


def _rotate(request: HttpRequest, key: SigningKey) -> str:
    tokens.rotate(by=asker(request))
    return _("The next key signs from now on.")


@admin.register(SigningKey)
class SigningKeyAdmin(OfOneOrganization[SigningKey]):
    """The keys that sign tokens, for operators: turn over, or drop in an emergency."""

    reads = Permission.ALL_ORGANIZATIONS
    organization_field = ""  # they are the house's own
    deeds = (
        Deed(
            "rotate", gettext_lazy("Turn the keys over"), Permission.ALL_ORGANIZATIONS, _rotate,
            question=gettext_lazy("Let the next key sign? What the present one signed stays good."),
            is_offered=lambda key: key.state == SigningKey.State.CURRENT,
        ),
        Deed(
            "drop", gettext_lazy("Drop"), Permission.ALL_ORGANIZATIONS, _drop, tone="bad",
            question=gettext_lazy("Drop this key? Every token that it signed is refused at once."),
        ),
    )  # fmt: skip
    operators_see = ()
    list_display = ("kid", "standing", "created_at", "current_at", "retired_at", "verifies_until")
    sortable_by = ()
    fields = ("kid", "standing", "public_part", "created_at", "current_at", "retired_at", "verifies_until")
    readonly_fields = fields

    @admin.display(description=gettext_lazy("state"))
    def standing(self, key: SigningKey) -> SafeString:
        if key.verifies_until is not None and key.verifies_until <= clock.now():
            return badge(_("over"))
        tones = {SigningKey.State.CURRENT: "ok", SigningKey.State.NEXT: "accent"}
        return badge(key.get_state_display(), tones.get(SigningKey.State(key.state), ""))

    @admin.display(description=gettext_lazy("public key"))
    def public_part(self, key: SigningKey) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(key.public_jwk, indent=2))
