"""The editor of an organisation's own texts: one language at a time, each channel with a preview of what would be sent."""

from __future__ import annotations

import copy
from typing import Any

from django import forms
from django.conf import settings
from django.conf.locale import LANG_INFO
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from identity import organizations, otp_texts
from identity.admin.rows import asker, sentence
from identity.errors import DomainError, Invalid
from identity.models import Organization, OutboxMessage

Channel = OutboxMessage.Channel

TEMPLATE = "otp"
# No code: the preview has to show six digits.
SAMPLE = "123456"
PARTS: dict[str, tuple[str, str | Promise]] = {
    "SMS": (Channel.SMS, gettext_lazy("Text message")), "VOICE": (Channel.VOICE, gettext_lazy("Phone call")),
    "SUBJECT": (Channel.EMAIL, gettext_lazy("Subject of the mail")), "EMAIL": (Channel.EMAIL, gettext_lazy("Mail")),
}  # fmt: skip
# Django knows the other languages' own names.
NAMES = {"tl": "Tagalog", "zh": "中文", "zh-CN": "中文（中国）", "zh-HK": "中文（香港）"}


class TextsForm(forms.Form):
    """The texts of one language; an empty one is ours."""

    def __init__(self, locale: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.locale = locale
        for part, (_channel, label) in PARTS.items():
            rows = {"SUBJECT": 1, "EMAIL": 7}.get(part, 3)
            shape = {"rows": rows, "class": "vLargeTextField", "lang": locale, "dir": "auto"}
            self.fields[part] = forms.CharField(required=False, label=str(label), widget=forms.Textarea(attrs=shape))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for part, text in self.texts().items():
            try:
                otp_texts.check_own({TEMPLATE: {self.locale: {part: text}}})
            except Invalid as e:
                said = f"{self.locale} {part}: "
                self.add_error(part, [one.removeprefix(said) for of in e.fields.values() for one in of])
        return cleaned

    def texts(self) -> dict[str, str]:
        """Answer what was written, without what was left empty and without what is wrong."""
        return {part: self.cleaned_data[part] for part in PARTS if self.cleaned_data.get(part)}


def page(request: HttpRequest, organization: Organization) -> HttpResponse:
    """Show the texts of a language; a POST previews them, or saves them with `save`. Raises PermissionDenied."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    locale = request.GET.get("locale", "en")
    if locale not in otp_texts.LANGUAGES:
        raise Http404
    own = _own(organization, locale)
    form = TextsForm(locale, request.POST) if request.method == "POST" else TextsForm(locale, initial=own)
    if form.is_bound and form.is_valid():
        own = form.texts()
        if "save" in request.POST:
            return _saved(request, organization, locale, own)
    shown = _with(organization, locale, own)
    context = {
        **admin.site.each_context(request), "title": _("Own message texts"), "organization": organization, "form": form, "locale": locale,
        "languages": _languages(organization), "direction": "rtl" if locale in otp_texts.RIGHT_TO_LEFT else "ltr",
        "parts": [(form[part], *_preview(shown, part, locale)) for part in PARTS], "back": reverse("admin:identity_organization_change", args=[organization.pk]),
    }  # fmt: skip
    return TemplateResponse(request, "admin/message_texts.html", context)


def _saved(request: HttpRequest, organization: Organization, locale: str, texts: dict[str, str]) -> HttpResponse:
    """Save one language and leave the others as they are now, whoever changed them meanwhile."""
    try:
        with transaction.atomic():
            row = Organization.objects.select_for_update().get(pk=organization.pk)
            if texts != _own(row, locale):
                templates = _with(row, locale, texts).message_templates
                organizations.change(by=asker(request), organization=row, message_templates=templates)
    except Invalid as e:
        messages.error(request, sentence(e))
    except DomainError as e:
        raise PermissionDenied from e
    else:
        messages.success(request, _("The texts are saved; the next message says them."))
    return HttpResponseRedirect(f"{request.path}?{urlencode({'locale': locale})}")


def _own(organization: Organization, locale: str) -> dict[str, str]:
    return dict((organization.message_templates.get(TEMPLATE) or {}).get(locale) or {})


def _with(organization: Organization, locale: str, texts: dict[str, str]) -> Organization:
    """Answer a copy of the organisation, not to be saved, that has these texts in this language."""
    languages = {**(organization.message_templates.get(TEMPLATE) or {}), locale: texts}
    wanted = copy.copy(organization)
    wanted.message_templates = {**organization.message_templates, TEMPLATE: {name: of for name, of in languages.items() if of}}  # fmt: skip
    if not wanted.message_templates[TEMPLATE]:
        del wanted.message_templates[TEMPLATE]
    return wanted


def _preview(organization: Organization, part: str, locale: str) -> tuple[str, str]:
    """Answer what would be sent, and as how many text messages."""
    minutes = max(1, settings.OTP_LIFETIME_SECONDS // 60)
    channel = PARTS[part][0]
    said = otp_texts.context(
        channel=channel, locale=locale, code=SAMPLE, name="", minutes=minutes, organization=organization
    )
    if part != "SMS":
        return said["subject" if part == "SUBJECT" else "text"], ""
    count = otp_texts.segments(said["text"])
    return said["text"], ngettext("Sent as %d text message.", "Sent and paid for as %d text messages.", count) % count


def _languages(organization: Organization) -> list[tuple[str, str, bool]]:
    """Answer the languages by their own names, and whether the organisation has texts of its own in them."""
    own = organization.message_templates.get(TEMPLATE) or {}
    return [(name, _name_of(name), name in own) for name in otp_texts.LANGUAGES]


def _name_of(language: str) -> str:
    known = LANG_INFO.get(language.lower(), {})
    return capfirst(str(NAMES.get(language) or known.get("name_local") or language))
