"""What the pages of things that belong to an organisation share: whose a new one is, and a secret that is told once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import clients, organizations
from identity.admin.rows import DomainForm, OfOneOrganization, asker, sees_all, shown_once
from identity.models import ApiKey, Organization


class OwnedForm(DomainForm):
    """A form for something new that belongs to an organisation: the asker's own, or one that an operator names."""

    organization = forms.ModelChoiceField(Organization.objects.all(), label=gettext_lazy("Organisation"))


class OwnedHere(OfOneOrganization[Any]):
    """A page whose new rows belong to an organisation."""

    new_form: type[DomainForm]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(
            request, obj, change=change, **(kwargs if change else {"form": self.new_form, **kwargs})
        )
        if not change and not sees_all(request):
            form.base_fields.pop("organization", None)
        return form

    def owner(self, request: HttpRequest, said: dict[str, Any]) -> Any:
        """Answer to which organisation a new row belongs; an operator may leave it open where the form lets him."""
        return said["organization"] if "organization" in said else organizations.find(pk=asker(request).organization_id)


class MadeHere(OwnedHere):
    """A page whose new rows have a secret that is shown once."""

    told_as: Promise = gettext_lazy("Client id")

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        made: clients.Made = request.made  # type: ignore[attr-defined]  # set by save_model in this very request
        return told(request, made, kind=self.told_as, back=f"{self.opts.app_label}_{self.opts.model_name}")


def told(request: HttpRequest, made: clients.Made, *, kind: Promise, back: str) -> HttpResponse:
    """Answer the page that tells a new secret."""
    words = _("Copy the secret now: it is not stored and cannot be shown again.")
    shown = [(str(kind), str(made.row if isinstance(made.row, ApiKey) else made.row.pk)), (_("Secret"), made.secret)]
    return shown_once(request, title=str(made.row), words=words, secrets=shown, back=back)
