"""Writes what a code's message says: 36 languages, three channels, an organisation's own words (clarifications 36)."""

from __future__ import annotations

import gettext as catalogues
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from identity.errors import Invalid
from identity.models import Organization, OutboxMessage

Channel = OutboxMessage.Channel

# As the wire spells them; `pr-BR` is its slip for Brazilian Portuguese, taken and never given (dialects.md 3.2 OTP).
LOCALES = (
    "af", "ar", "ca", "cs", "da", "de", "el", "en", "en-GB", "es", "fi", "fr", "he", "hi", "hr", "hu", "id", "it", "ja", "ko", "ms",
    "nb", "nl", "pl", "pt", "pr-BR", "ro", "ru", "sv", "th", "tl", "tr", "vi", "zh", "zh-CN", "zh-HK",
)  # fmt: skip
CANONICAL = {"pr-BR": "pt-BR"}
LANGUAGES = tuple(CANONICAL.get(name, name) for name in LOCALES)
RIGHT_TO_LEFT = frozenset({"ar", "he"})

# Where a telephone number is at home decides when nobody said a language; what is not named here is addressed in English.
COUNTRIES = {
    country: language
    for language, countries in {
        "ar": "AE BH DZ EG EH IQ JO KW LB LY MA MR OM PS QA SA SD SY TN YE",
        "ca": "AD",
        "cs": "CZ",
        "da": "DK FO GL",
        "de": "AT CH DE LI",
        "el": "CY GR",
        "en-GB": "GB GG GI IM JE",
        "es": "AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR PY SV UY VE",
        "fi": "FI",
        "fr": "BF BI BJ BL CD CF CG CI CM DJ FR GA GF GN GP HT KM LU MC MF MG ML MQ NC NE PF PM RE SN TD TG WF YT",
        "he": "IL",
        "hi": "IN",
        "hr": "HR",
        "hu": "HU",
        "id": "ID",
        "it": "IT SM VA",
        "ja": "JP",
        "ko": "KP KR",
        "ms": "BN MY",
        "nb": "NO SJ",
        "nl": "AW BE BQ CW NL SR SX",
        "pl": "PL",
        "pt": "AO CV GW MZ PT ST TL",
        "pt-BR": "BR",
        "ro": "MD RO",
        "ru": "BY KG KZ RU",
        "sv": "AX SE",
        "th": "TH",
        "tl": "PH",
        "tr": "TR",
        "vi": "VN",
        "zh-CN": "CN",
        "zh-HK": "HK MO TW",
    }.items()
    for country in countries.split()
}

# What is translated: the catalogues of the domain `otp` hold exactly these.
SUBJECT = "Your code for {name}"
MAIL = "This is your code for {name}:"
SMS = "{code} is your code for {name}."
VOICE = "Your code for {name} is: {code}."
LIFETIME, LIFETIME_PLURAL = "It is valid for {minutes} minute.", "It is valid for {minutes} minutes."
WARNING = "Do not share it with anyone. If you did not ask for it, ignore this message."
TEXTS = (SUBJECT, MAIL, SMS, VOICE, LIFETIME, WARNING)

LONGEST_NAME = 30
# Longer runs could be taken for the code itself.
MOST_DIGITS = 3
CONTROL = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
# Telephones make a link of two words with a dot between them.
LINK = re.compile(r"://|www\.|\w\.[^\W\d_]{2}", re.IGNORECASE)
DIGITS = re.compile(rf"\d(?:[\W_]*\d){{{MOST_DIGITS}}}")
PLACEHOLDER = re.compile(r"\{(code|name|minutes)\}")

# An organisation's own texts; SUBJECT is the one of its mails.
LONGEST_OWN = {"SMS": 480, "VOICE": 480, "EMAIL": 4000, "SUBJECT": 120}
# Written alike: who wrote the one has written the other.
SAME_WORDS = {"en-GB": "en", "zh-CN": "zh", "zh": "zh-CN"}

# GSM 03.38: the basic alphabet, and what takes two places in it.
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_DOUBLE = frozenset("\f^{}\\[~]|€")


def language_of(*, locale: str | None, country: str) -> str:
    """Answer in which language to write: the one that was asked for, or that of the number's country, or else English.

    `locale` is the wire's name, `country` two letters or empty. Raises Invalid naming `locale`.
    """
    if locale is None:
        return COUNTRIES.get(country, "en")
    name = CANONICAL.get(locale, locale)
    if name not in LANGUAGES:
        raise Invalid("locale", fields={"locale": [_("There are no texts in this language.")]})
    return name


def check_name(name: str) -> str:
    """Answer the name as it is written: composed, with single spaces. Raises Invalid naming `name`.

    Whoever may ask for codes could send a stranger any thirty characters under our number: no links, no second code.
    """
    written = " ".join(word for word in unicodedata.normalize("NFC", name).split(" ") if word)
    if len(written) > LONGEST_NAME:
        raise _refused_name(_("At most %d characters.") % LONGEST_NAME)
    if not _is_plain(written):
        raise _refused_name(
            _("A name holds no link, no line break, no braces and no more than %d digits.") % MOST_DIGITS
        )
    return written


def context(
    *, channel: str, locale: str, code: str, name: str, minutes: int, organization: Organization
) -> dict[str, str]:
    """Answer what the templates messages/otp.* show, in that language and, where there are any, in the organisation's words.

    `locale` is a canonical name, `name` was checked or is empty: then it is the organisation's; `minutes` is how long the code
    lives.
    """
    values = {"code": code, "name": name or _name_of(organization), "minutes": str(minutes)}
    own = _own_texts(organization, locale)
    if channel == Channel.VOICE:
        return {"text": _spoken(own.get("VOICE"), locale, values)}
    if channel == Channel.SMS:
        return {"text": _filled(own["SMS"], values) if "SMS" in own else _short(locale, values)}
    text = _filled(own.get("EMAIL") or _long(locale, minutes), values)
    before, _code, after = text.partition(code)
    return {
        "subject": _filled(own.get("SUBJECT") or _in(locale, SUBJECT), values),
        "text": text,
        "before": before,
        "code": code,
        "after": after,
        "language": locale,
        "direction": "rtl" if locale in RIGHT_TO_LEFT else "ltr",
    }


def segments(text: str) -> int:
    """Answer as how many text messages this is sent and paid for (3GPP 23.038: seven bits a character, or else sixteen)."""
    if all(letter in GSM or letter in GSM_DOUBLE for letter in text):
        return _parts([2 if letter in GSM_DOUBLE else 1 for letter in text], alone=160, joined=153)
    return _parts([2 if ord(letter) > 0xFFFF else 1 for letter in text], alone=70, joined=67)


def check_own(texts: Mapping[str, Any]) -> None:
    """Go on only with own texts that can be sent: {"otp": {language: {"SMS"|"VOICE"|"EMAIL"|"SUBJECT": text}}}.

    Raises Invalid naming `message_templates`, with a sentence for every text that is wrong.
    """
    wrong: list[str] = []
    for template, languages in texts.items():
        if template != "otp" or not isinstance(languages, Mapping):
            wrong.append(_("Only otp has own texts, by language and channel."))
            continue
        for language, channels in languages.items():
            if language not in LANGUAGES or not isinstance(channels, Mapping):
                wrong.append(_("%s: there is no such language.") % language)
                continue
            for channel, text in channels.items():
                problem = _problem(channel, text)
                if problem:
                    wrong.append(f"{language} {channel}: {problem}")
    if wrong:
        raise Invalid("message_templates", fields={"message_templates": wrong})


def catalogue_of(language: str) -> Path:
    """Answer where the texts of a language are written (.po), compiled beside it (.mo)."""
    return Path(settings.BASE_DIR) / "templates" / "messages" / "languages" / language / "LC_MESSAGES" / "otp.po"


def _problem(channel: str, text: Any) -> str:
    if channel not in LONGEST_OWN:
        return _("there is no such channel.")
    if not isinstance(text, str) or not text.strip():
        return _("a text is missing.")
    if len(text) > LONGEST_OWN[channel]:
        return _("at most %d characters.") % LONGEST_OWN[channel]
    allowed = "" if channel == "SUBJECT" else "\r\n"
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Co", "Cn") and letter not in allowed for letter in text):
        return _("control characters cannot be sent.")
    if channel != "SUBJECT" and "{code}" not in text:
        return _("the text must hold {code}.")
    if channel == "VOICE" and "{minutes}" in text:
        # Digits are spoken one by one, so that a code is understood: ten minutes would be "one zero minutes".
        return _("{minutes} cannot be spoken.")
    if re.search("[{}]", PLACEHOLDER.sub("", text)):
        return _("only {code}, {name} and {minutes} stand in braces.")
    return ""


def _own_texts(organization: Organization, locale: str) -> Mapping[str, str]:
    languages: Mapping[str, Mapping[str, str]] = organization.message_templates.get("otp") or {}
    return {**languages.get(SAME_WORDS.get(locale, locale), {}), **languages.get(locale, {})}


def _name_of(organization: Organization) -> str:
    """The organisation's title, or its short name, as long as names may be; a title may hold anything, a message may not."""
    for name in (organization.title, organization.name):
        short = unicodedata.normalize("NFC", name)[:LONGEST_NAME].strip()
        if short and _is_plain(short):
            return short
    return "Switchboard"


def _is_plain(name: str) -> bool:
    # What telephones take for a dot or a digit: full-width ones, and the full stop of Chinese and Japanese.
    seen = unicodedata.normalize("NFKC", name).replace("。", ".")
    is_printed = not any(unicodedata.category(letter) in CONTROL for letter in name)
    return is_printed and not LINK.search(seen) and not DIGITS.search(seen) and not re.search("[{}]", seen)


def _refused_name(sentence: str) -> Invalid:
    return Invalid("name", fields={"name": [sentence]})


def _short(locale: str, values: Mapping[str, str]) -> str:
    """A text message: how long the code lives is left out where that would cost a second one."""
    said = _filled(_in(locale, SMS), values)
    whole = _joined(said, _filled(_lifetime(locale, int(values["minutes"])), values))
    return said if segments(whole) > segments(said) else whole


def _long(locale: str, minutes: int) -> str:
    return "\n\n".join((_in(locale, MAIL), "{code}", _joined(_lifetime(locale, minutes), _in(locale, WARNING))))


def _spoken(own: str | None, locale: str, values: Mapping[str, str]) -> str:
    """What a voice says, twice, every digit by itself: two digits side by side would be read as a number."""
    text = _filled(own or _in(locale, VOICE), {**values, "code": ", ".join(values["code"])})
    apart = re.sub(r"(?<=\d)(?=\d)", " ", text)
    return f"{apart}\n{apart}"


def _joined(first: str, second: str) -> str:
    return first + ("" if first.endswith("。") else " ") + second


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Put the values in, in one pass: no value is ever read as a placeholder, and no format language is at work."""
    return PLACEHOLDER.sub(lambda place: values[place[1]], text.replace("\r\n", "\n"))


def _in(locale: str, text: str) -> str:
    return _catalogue(locale).gettext(text)


def _lifetime(locale: str, minutes: int) -> str:
    return _catalogue(locale).ngettext(LIFETIME, LIFETIME_PLURAL, minutes)


@cache
def _catalogue(locale: str) -> catalogues.GNUTranslations:
    """The catalogue of one language. Not Django's: its languages are the portal's two, and these texts are nobody's page."""
    with catalogue_of(locale).with_suffix(".mo").open("rb") as file:
        return catalogues.GNUTranslations(file)


def _parts(sizes: list[int], *, alone: int, joined: int) -> int:
    """How many messages hold characters of these sizes; none is torn in two."""
    if sum(sizes) <= alone:
        return 1
    parts, used = 1, 0
    for size in sizes:
        if used + size > joined:
            parts, used = parts + 1, 0
        used += size
    return parts
