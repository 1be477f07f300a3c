"""Reads where a code is to go: a telephone number or an e-mail address, and which of them may get one (clarifications 36)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import phonenumbers
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from phonenumbers import PhoneNumber, PhoneNumberType

from identity.errors import Invalid
from identity.models import OutboxMessage

Channel = OutboxMessage.Channel

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# A range of numbers as whoever earns on messages rents it: the country and three digits.
PREFIX_DIGITS = 3
LONGEST_MAIL = 254

# Validity is no fraud control: premium and satellite numbers are "valid" (security.md M25). What is not named here gets nothing.
MOBILE = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
TYPES = {Channel.SMS: MOBILE, Channel.VOICE: MOBILE | {PhoneNumberType.FIXED_LINE}}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a code goes: the address as it was said, and its spelling by which it is compared and counted.

    `country` (two letters) and `prefix` (like +46701) are a telephone number's and empty for mail.
    """

    address: str
    key: str
    country: str = ""
    prefix: str = ""

    @property
    def is_mail(self) -> bool:
        return not self.prefix


def parse(to: str) -> Recipient:
    """Read an E.164 number or an e-mail address. Raises Invalid naming `to`."""
    if "@" in to:
        return Recipient(address=to, key=_mail_key(to))
    if not E164.fullmatch(to):
        raise _refusal(_("Send a number like +46701234567, or an e-mail address."))
    try:
        number = phonenumbers.parse(to)
    except phonenumbers.NumberParseException as e:
        raise _refusal(_("There is no such number.")) from e
    if phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) != to:
        # The nought of a call at home, as in +46 0701…: networks drop it, and one telephone would count as two.
        raise _refusal(_("There is no such number."))
    country = phonenumbers.region_code_for_number(number) or ""
    return Recipient(address=to, key=to, country=country, prefix=_prefix(number))


def check(recipient: Recipient, *, channel: str, countries: Collection[str]) -> None:
    """Go on only if this channel reaches the recipient and its country and kind of number are allowed. Raises Invalid naming `to`."""
    if recipient.is_mail is not (channel == Channel.EMAIL):
        raise _refusal(_("The channel does not fit: e-mail goes to addresses, SMS and VOICE go to numbers."))
    if recipient.is_mail:
        return
    if recipient.country not in countries:
        raise _refusal(_("No codes are sent to this country."))
    if phonenumbers.number_type(phonenumbers.parse(recipient.address)) not in TYPES[Channel(channel)]:
        raise _refusal(_("No codes are sent to this kind of number by this channel."))


def _prefix(number: PhoneNumber) -> str:
    return f"+{number.country_code}{phonenumbers.national_significant_number(number)[:PREFIX_DIGITS]}"


def _mail_key(to: str) -> str:
    """Answer the spelling by which addresses are compared: case-blind (clarifications 36).

    One mailbox must not count as many, nor two as one: quotation marks and network addresses spell a mailbox in any number of
    ways, and other letters fold into those of somebody else's (ſ and s, ß and ss). A domain with such letters has its xn--.
    """
    try:
        validate_email(to)
    except ValidationError as e:
        raise _refusal(_("This is no e-mail address.")) from e
    if len(to) > LONGEST_MAIL or not to.isascii() or to.startswith('"') or to.endswith("]"):
        raise _refusal(_("This is no e-mail address."))
    return to.lower()


def _refusal(sentence: str) -> Invalid:
    return Invalid("to", fields={"to": [sentence]})
