"""Forms for applications, drawn from the schema of each type: what it knows by name as fields, all the rest as JSON."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from identity import applications
from identity.admin.made import OwnedForm
from identity.errors import Invalid, Malformed
from identity.models import Application
from integrations import edge
from integrations.providers.policy import BY_EMAIL, NOBODY, Policy
from integrations.vendors import configs

# Stands for a stored secret: it is shown instead, and sent back it means that the secret stays.
MASK = "••••••••"
MOST_JSON = 20_000
REST = "rest"
NOTHING: Any = object()
# What an administrator reads for a word of ours; a vendor's own words, such as its regions, stand as they are.
WORDS = {NOBODY: gettext_lazy("nothing"), BY_EMAIL: gettext_lazy("verified e-mail address")}


class ObjectField(forms.CharField):
    """A JSON object, read as strictly as one that comes over the wire."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField", "spellcheck": "false"})
        super().__init__(required=False, max_length=MOST_JSON, widget=widget, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else value

    def clean(self, value: Any) -> dict[str, Any]:
        try:
            read = edge.read_json(super().clean(value).encode())
        except Malformed as e:
            raise ValidationError(_("This is no JSON that we take.")) from e
        if not isinstance(read, dict):
            raise ValidationError(_("This has to be a JSON object."))
        return read


class ApplicationForm(OwnedForm):
    """The editor of one type; `form_for` adds the fields of its schema.

    A stored secret is never sent to the browser. `configuration` is the whole of what was asked for, secrets filled in.
    """

    type_ = ""
    stored: dict[str, Any] = {}
    configuration: dict[str, Any] | None = None

    class Meta:
        model = Application
        fields = ("is_visible", "allows_anonymous_registration")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.type_ and not self.errors:
            self._kept: list[str] = []
            asked = self._assembled()
            if not self.errors:
                self._check(asked)
            if not self.errors and self._leads_elsewhere(asked):
                # Whoever may change an address but never saw the secret must not have it sent to a host of his choice.
                for field in dict.fromkeys(self._kept):
                    self.add_error(field, _("Type the secret again: with these changes it goes to another system."))
            self.configuration = asked
        return cleaned

    def _assembled(self) -> dict[str, Any]:
        asked: dict[str, Any] = {}
        for section, schema in configs.sections_of(self.type_).items():
            stored = self.stored.get(section, {}) if section else self.stored
            entries = self._rest_of(section, schema, stored) | self._known_of(section, schema, stored)
            if not section:
                asked |= entries
            elif entries or section in self.stored:
                asked[section] = entries
        return asked

    def _known_of(self, section: str, schema: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
        entries = {}
        for name in schema.get("properties", {}):
            field = field_name(section, name)
            value = self.cleaned_data.get(field, "")
            if not value and applications.is_secret(name) and stored.get(name):
                self._kept.append(field)
                value = stored[name]
            if value:
                entries[name] = value
        return entries

    def _rest_of(self, section: str, schema: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
        field = field_name(section)
        said = self.cleaned_data[field]
        named = set(schema.get("properties", {})) | (set(configs.PLACES) if not section else set())
        if named & set(said):
            self.add_error(field, _("It has a field of its own: %s") % ", ".join(sorted(named & set(said))))
            return {}
        return {name: self._unmasked(value, stored.get(name, NOTHING), field, name) for name, value in said.items()}

    def _unmasked(self, value: Any, stored: Any, field: str, name: str) -> Any:
        """Answer a value with the stored secrets where it says that they stay."""
        if value == MASK:
            if not (isinstance(stored, str) and applications.is_secret(name)):
                self.add_error(field, _("No secret is stored at “%s” that could stay.") % name)
                return ""
            self._kept.append(field)
            return stored
        if isinstance(value, dict):
            within = stored if isinstance(stored, dict) else {}
            return {key: self._unmasked(one, within.get(key, NOTHING), field, key) for key, one in value.items()}
        if isinstance(value, list):
            # In a list of another length nobody can say which secret was which.
            of = stored if isinstance(stored, list) and len(stored) == len(value) else [NOTHING] * len(value)
            return [self._unmasked(one, old, field, name) for one, old in zip(value, of, strict=True)]
        return value

    def _leads_elsewhere(self, asked: dict[str, Any]) -> bool:
        addresses = configs.sections_of(self.type_)[""]["properties"]
        places = [
            [config.get(name) for name in addresses] + [Policy.of(config).hosts] for config in (asked, self.stored)
        ]
        return places[0] != places[1]

    def _check(self, asked: dict[str, Any]) -> None:
        try:
            configs.check(self.type_, asked)
        except Invalid as e:
            for field in e.fields:
                self.add_error(field if field in self.fields else None, _("Not what this type of application takes."))


def form_for(type_: str, stored: dict[str, Any]) -> type[ApplicationForm]:
    """Answer the form class of a type, filled with what is stored but its secrets."""
    fields: dict[str, Any] = {"type_": type_, "stored": stored, "__module__": __name__}
    for section, schema in configs.sections_of(type_).items():
        here = stored.get(section, {}) if section else stored
        known = schema.get("properties", {})
        for name, said in known.items():
            is_needed = name in schema.get("required", ())
            fields[field_name(section, name)] = _field(name, said, here.get(name), is_needed=is_needed)
        hidden = {*known, *(configs.PLACES if not section else ())}
        rest = {name: masked(value, name) for name, value in here.items() if name not in hidden}
        fields[field_name(section)] = ObjectField(
            label=gettext_lazy("Further entries"), initial=rest,
            help_text=gettext_lazy("A JSON object. Texts named secret, password, token or private key are kept sealed."),
        )  # fmt: skip
    return type("FormOfAType", (ApplicationForm,), fields)


def fields_of(type_: str) -> list[tuple[str, list[str]]]:
    """Answer the names of a type's fields by section, the top under ""."""
    places = configs.sections_of(type_).items()
    return [
        (at, [*(field_name(at, name) for name in schema.get("properties", {})), field_name(at)])
        for at, schema in places
    ]


def field_name(section: str, name: str = "") -> str:
    """Answer a field's name: the entry as refusals name it, or what holds the rest of a section."""
    return ".".join(["config", *filter(None, (section, name))]) if section or name else REST


def masked(value: Any, name: str = "") -> Any:
    """Answer a value with a mask in place of each secret."""
    if isinstance(value, dict):
        return {key: masked(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [masked(one, name) for one in value]
    return MASK if isinstance(value, str) and applications.is_secret(name) else value


def _field(name: str, said: dict[str, Any], stored: Any, *, is_needed: bool) -> forms.Field:
    label = said.get("title", name)
    if applications.is_secret(name):
        kept = gettext_lazy("One is stored. Empty leaves it as it is.") if stored else ""
        unshown = forms.PasswordInput(
            attrs={"autocomplete": "off", "class": "vTextField", "placeholder": MASK if stored else ""}
        )
        return forms.CharField(
            label=label,
            required=is_needed and not stored,
            max_length=MOST_JSON,
            widget=unshown,
            help_text=kept,
            strip=False,
        )
    if said.get("type") == "boolean":
        return forms.BooleanField(label=label, required=False, initial=stored is True)
    if said.get("type") == "object":
        help_text = format_lazy(
            gettext_lazy("A JSON object, such as {example}"), example='{"team-leads": "Supervisor"}'
        )
        return ObjectField(label=label, initial=stored, help_text=help_text)
    if "enum" in said:
        choices = [("", "—"), *((one, WORDS.get(one, one)) for one in said["enum"])]
        return forms.ChoiceField(label=label, required=is_needed, choices=choices, initial=stored)
    text = forms.TextInput(attrs={"class": "vTextField", "spellcheck": "false"})
    return forms.CharField(
        label=label, required=is_needed, max_length=said.get("maxLength", 2000), widget=text, initial=stored
    )
