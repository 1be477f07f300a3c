"""What the desk asks an agent for."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from agents.models import Agent

MINUTES = "%Y-%m-%dT%H:%M"


class Presence(forms.Form):
    """What colleagues see of an agent. `until` is UTC, as every time on these pages."""

    is_available = forms.BooleanField(label=_("Available for calls"), required=False)
    name = forms.CharField(label=_("What you are doing"), max_length=100, required=False)
    until = forms.DateTimeField(
        label=_("Until (UTC)"),
        required=False,
        input_formats=[MINUTES, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MINUTES),
    )
    message = forms.CharField(label=_("Message"), max_length=300, required=False)
    key_words = forms.CharField(
        label=_("Key words"), max_length=1000, required=False, help_text=_("What you know about, separated by commas.")
    )

    @classmethod
    def of(cls, agent: Agent) -> Presence:
        """Answer the form filled in with an agent's presence."""
        return cls(
            initial={
                "is_available": agent.is_available,
                "name": agent.profile_name,
                "until": agent.profile_until,
                "message": agent.profile_message,
                "key_words": ", ".join(agent.key_words),
            }
        )

    def clean_key_words(self) -> list[str]:
        return [word for word in (part.strip() for part in self.cleaned_data["key_words"].split(",")) if word]


class Place(forms.Form):
    """Where an agent sits."""

    place = forms.CharField(label=_("Place"), max_length=100, required=False)
