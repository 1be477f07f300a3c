"""What a code's message says: 36 languages, three channels, filtered names, own texts (clarifications 36, dialects.md 3.2 OTP)."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Callable
from typing import Any

import pytest

from identity import otp_texts, outbox
from identity.errors import Invalid
from identity.models import Organization

CODE = "193752"
SPOKEN = "1, 9, 3, 7, 5, 2"
LONG_NAME = "Alingsås Energi & Kraftbolag 7"
LONG_UNICODE_NAME = "Česká spořitelna – Žižkov centr"[:30]
Lettered = Callable[..., outbox.Letter]

languages = pytest.mark.parametrize("language", otp_texts.LANGUAGES)


@pytest.fixture
def acme(db: None) -> Organization:
    return Organization.objects.create(name="acme", title="Acme", domain="acme.example")


@pytest.fixture
def lettered(acme: Organization) -> Lettered:
    """Answer the message as the gateway gets it."""

    def letter(channel: str, language: str, *, name: str = "Åsas Bank", minutes: int = 10, code: str = CODE) -> Any:
        context = otp_texts.context(
            channel=channel, locale=language, code=code, name=name, minutes=minutes, organization=acme
        )
        to = "anna@example.com" if channel == "EMAIL" else "+46701234567"
        return outbox.render(
            outbox.put(channel=channel, to=to, template="otp", context=context, locale=language, organization=acme)
        )

    return letter


def own(**channels: str) -> dict[str, Any]:
    return {"otp": {"sv": channels}}


def refused(texts: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        otp_texts.check_own(texts)
    (field,) = refusal.value.fields.items()
    assert field[0] == "message_templates"
    return list(field[1])


# --- languages ------------------------------------------------------------------------------------------


def test_english_says_this(lettered: Lettered) -> None:
    text, voice, mail = (lettered(channel, "en") for channel in ("SMS", "VOICE", "EMAIL"))

    assert (text.subject, text.body, text.html) == (
        None, "193752 is your code for Åsas Bank. It is valid for 10 minutes.", None,
    )  # fmt: skip
    assert (voice.subject, voice.body, voice.html) == (
        None, "Your code for Åsas Bank is: 1, 9, 3, 7, 5, 2.\nYour code for Åsas Bank is: 1, 9, 3, 7, 5, 2.", None,
    )  # fmt: skip
    assert (mail.subject, mail.body) == (
        "Your code for Åsas Bank",
        "This is your code for Åsas Bank:\n\n193752\n\n"
        "It is valid for 10 minutes. Do not share it with anyone. If you did not ask for it, ignore this message.\n",
    )
    assert mail.html is not None
    assert (
        "<p>This is your code for Åsas Bank:<br><br>"
        '<bdi dir="ltr"><strong>193752</strong></bdi>'
        "<br><br>It is valid for 10 minutes. Do not share it with anyone. If you did not ask for it, ignore this message.</p>"
    ) in mail.html


@languages
def test_every_language_has_a_text_message_with_the_code_and_the_name(lettered: Lettered, language: str) -> None:
    letter = lettered("SMS", language)

    assert letter.locale == language
    assert re.findall(r"\b\d{4,}\b", letter.body) == [CODE]
    assert "Åsas Bank" in letter.body
    assert not re.search("[{}]", letter.body)
    assert (letter.body == lettered("SMS", "en").body) is (language in ("en", "en-GB"))


@languages
def test_every_language_has_a_voice_that_says_each_digit_alone_and_everything_twice(
    lettered: Lettered, language: str
) -> None:
    letter = lettered("VOICE", language)

    first, second = letter.body.splitlines()
    assert first == second
    assert SPOKEN in first
    assert "Åsas Bank" in first
    assert not re.search(r"\d{2}|[{}]", letter.body)
    assert (letter.body == lettered("VOICE", "en").body) is (language in ("en", "en-GB"))


@languages
def test_every_language_has_an_e_mail_in_text_and_html(lettered: Lettered, language: str) -> None:
    letter, english = lettered("EMAIL", language), lettered("EMAIL", "en")

    assert letter.subject is not None
    assert letter.html is not None
    assert CODE not in letter.subject
    assert re.findall(r"\d{4,}", letter.body) == [CODE]
    for part in (letter.subject, letter.body, letter.html):
        assert "Åsas Bank" in part
        assert not re.search("[{}]", part)
    direction = "rtl" if language in ("ar", "he") else "ltr"
    assert f'<html lang="{language}" dir="{direction}">' in letter.html
    assert f'<bdi dir="ltr"><strong>{CODE}</strong></bdi>' in letter.html
    assert "style" not in letter.html
    if language != "en":
        assert letter.body != english.body
        assert (letter.subject == english.subject) is (language == "en-GB")


@languages
def test_digits_are_ascii_whatever_the_script(lettered: Lettered, language: str) -> None:
    for channel in ("SMS", "VOICE", "EMAIL"):
        assert all(letter.isascii() for letter in lettered(channel, language).body if letter.isdigit())


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        ("en", {1: "for 1 minute.", 2: "for 2 minutes.", 10: "for 10 minutes."}),
        ("sv", {1: "i 1 minut.", 2: "i 2 minuter."}),
        ("fi", {1: "1 minuutin.", 2: "2 minuuttia."}),
        ("fr", {1: "1 minute.", 2: "2 minutes."}),
        ("pl", {1: "1 minutę.", 3: "3 minuty.", 5: "5 minut.", 12: "12 minut.", 22: "22 minuty."}),
        ("cs", {1: "1 minutu.", 3: "3 minuty.", 5: "5 minut.", 22: "22 minut."}),
        ("ru", {1: "1 минуту.", 2: "2 минуты.", 5: "5 минут.", 11: "11 минут.", 21: "21 минуту."}),
        ("hr", {1: "1 minutu.", 4: "4 minute.", 10: "10 minuta.", 21: "21 minutu."}),
        ("ro", {1: "1 minut.", 10: "10 minute.", 20: "20 de minute."}),
        (
            "ar",
            {
                1: "لمدة دقيقة واحدة.",
                2: "لمدة دقيقتين.",
                3: "3 دقائق",
                10: "10 دقائق",
                11: "11 دقيقة",
                100: "100 دقيقة",
            },
        ),
        ("he", {1: "דקה אחת", 2: "2 דקות"}),
        ("ja", {1: "1分", 10: "10分"}),
    ],
)
def test_minutes_are_counted_as_the_language_does(lettered: Lettered, language: str, sentences: dict[int, str]) -> None:
    for minutes, words in sentences.items():
        assert words in lettered("EMAIL", language, minutes=minutes).body
        assert words in lettered("SMS", language, minutes=minutes, name="Acme").body


@languages
@pytest.mark.parametrize("name", [LONG_NAME, LONG_UNICODE_NAME], ids=["gsm", "unicode"])
def test_a_text_message_with_the_longest_name_is_one_message(lettered: Lettered, language: str, name: str) -> None:
    assert len(otp_texts.check_name(name)) == 30

    body = lettered("SMS", language, name=name).body

    assert otp_texts.segments(body) == 1
    assert CODE in body
    assert name in body


def test_the_lifetime_is_said_where_it_does_not_cost_a_second_message(lettered: Lettered) -> None:
    assert lettered("SMS", "ru").body == "193752 — ваш код для Åsas Bank. Он действует 10 минут."
    assert lettered("SMS", "ru", name=LONG_NAME).body == f"193752 — ваш код для {LONG_NAME}."
    assert lettered("SMS", "sv", name=LONG_NAME).body == f"193752 är din kod för {LONG_NAME}. Den gäller i 10 minuter."


# --- which language -------------------------------------------------------------------------------------


def test_the_36_names_of_the_wire_are_known_and_both_spellings_of_brazil() -> None:
    assert (len(otp_texts.LOCALES), len(set(otp_texts.LANGUAGES))) == (36, 36)
    for name in otp_texts.LOCALES:
        expected = "pt-BR" if name == "pr-BR" else name
        assert otp_texts.language_of(locale=name, country="SE") == expected
    assert otp_texts.language_of(locale="pt-BR", country="") == "pt-BR"


@pytest.mark.parametrize("locale", ["xx", "", "SV", "sv-SE", "pt_BR", "zh-TW", "../sv", "en\n"])
def test_another_language_is_refused_by_name(locale: str) -> None:
    with pytest.raises(Invalid) as refusal:
        otp_texts.language_of(locale=locale, country="SE")
    assert refusal.value.fields == {"locale": ["There are no texts in this language."]}


@pytest.mark.parametrize(
    ("country", "language"),
    [
        ("SE", "sv"), ("NO", "nb"), ("GR", "el"), ("CY", "el"), ("DE", "de"), ("GB", "en-GB"), ("US", "en"), ("BR", "pt-BR"),
        ("PT", "pt"), ("HK", "zh-HK"), ("TW", "zh-HK"), ("CN", "zh-CN"), ("IL", "he"), ("PH", "tl"), ("MX", "es"), ("BG", "en"), ("", "en"),
    ],
)  # fmt: skip
def test_without_a_language_the_number_s_country_decides(country: str, language: str) -> None:
    assert otp_texts.language_of(locale=None, country=country) == language


def test_no_country_leads_to_a_language_without_texts() -> None:
    assert set(otp_texts.COUNTRIES.values()) <= set(otp_texts.LANGUAGES)
    assert all(re.fullmatch("[A-Z]{2}", country) for country in otp_texts.COUNTRIES)


# --- names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Åsas Bank", "Åsas Bank"), ("A\u030asas  Bank ", "Åsas Bank"), ("", ""), ("   ", ""), ("Dr. Oetker", "Dr. Oetker"),
        ("7-Eleven 24", "7-Eleven 24"), ("Marks & Spencer", "Marks & Spencer"), ("三井住友銀行", "三井住友銀行"), ("Allegro <b>", "Allegro <b>"),
        ("x" * 30, "x" * 30), ("A\u030a" * 30, "Å" * 30),
    ],
)  # fmt: skip
def test_a_name_is_written_composed_with_single_spaces(name: str, written: str) -> None:
    assert otp_texts.check_name(name) == written


HOSTILE = {
    "a host": "www.evil.example", "www alone": "WWW.x", "a domain": "evil.se", "a domain in words": "See bit.ly now", "an address": "http://x", "mail": "a@b.co",
    "full-width dot": "evil．com", "ideographic dot": "evil。com", "half-width ideographic dot": "evil｡com", "one dot leader": "evil\u2024com", "idn": "пример.рф",
    "punycode": "a.xn--p1ai", "line feed": "a\nb", "carriage return": "a\rb", "tab": "a\tb", "null": "a\0b", "line separator": "a\u2028b",
    "override": "a\u202eb", "isolate": "a\u2066b", "zero width": "a\u200bb", "soft hyphen": "a\u00adb", "joined tag": "a\U000e0041", "private": "\ue000",
    "surrogate": "\ud800", "unassigned": "\u0378", "four digits": "Code 1937", "a code": "193752", "a code with blanks": "19 37 52", "a code with dashes": "19-37_52",
    "arabic digits": "١٢٣٤", "full-width digits": "１２３４", "circled digits": "①②③④", "ip": "10.0.0.1", "braces": "{code}", "a brace": "a}b",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_name_that_could_carry_a_link_or_a_second_code_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        otp_texts.check_name(name)
    assert refusal.value.fields == {
        "name": ["A name holds no link, no line break, no braces and no more than 3 digits."]
    }


def test_a_name_of_31_characters_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        otp_texts.check_name("x" * 31)
    assert refusal.value.fields == {"name": ["At most 30 characters."]}


@pytest.mark.parametrize(
    ("title", "name", "said"),
    [
        ("Acme", "acme", "Acme"),
        ("", "acme", "acme"),
        ("https://acme.example", "acme", "acme"),
        ("Kundservice för Alingsås och Vårgårda", "acme", "Kundservice för Alingsås och V"),
        ("{code}", "193752", "Switchboard"),
    ],
)
def test_without_a_name_the_organisation_s_is_said_as_far_as_a_name_may_hold_it(
    acme: Organization, lettered: Lettered, title: str, name: str, said: str
) -> None:
    acme.title, acme.name = title, name
    assert lettered("SMS", "en", name="").body == f"193752 is your code for {said}. It is valid for 10 minutes."


def test_a_name_is_escaped_in_html_and_its_digits_are_spoken_apart(lettered: Lettered) -> None:
    mail = lettered("EMAIL", "en", name="A <b> & 24")

    assert "A <b> & 24" in mail.body
    assert mail.subject == "Your code for A <b> & 24"
    assert "A &lt;b&gt; &amp; 24" in str(mail.html)
    assert lettered("VOICE", "en", name="Bank 24").body.startswith("Your code for Bank 2 4 is: 1, 9, 3, 7, 5, 2.")


# --- how many messages ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3),
        ("€" * 80, 1), ("€" * 81, 2), ("a" * 159 + "€", 2), ("a" * 152 + "€" + "a" * 152, 3),
        ("Å" * 160, 1), ("Ω" * 160, 1), ("ç" * 70, 1), ("ç" * 71, 2), ("я" * 134, 2), ("я" * 135, 3),
        ("😀" * 35, 1), ("😀" * 36, 2), ("я" * 66 + "😀" + "я" * 66, 3), ("`" + "a" * 70, 2),
    ],
    ids=str,
)  # fmt: skip
def test_a_text_is_paid_for_as_so_many_messages(text: str, messages: int) -> None:
    assert otp_texts.segments(text) == messages


# --- own texts ------------------------------------------------------------------------------------------


def test_an_organisation_s_own_words_stand_in_for_ours_channel_by_channel(
    acme: Organization, lettered: Lettered
) -> None:
    acme.message_templates = own(
        SMS="{name}: {code}, {minutes} min", VOICE="Koden är {code}. Ring 112.", EMAIL="Hej <du>!\r\n\r\nKod: {code}, bara {code}.", SUBJECT="Kod från {name}"
    )  # fmt: skip
    otp_texts.check_own(acme.message_templates)

    assert lettered("SMS", "sv").body == "Åsas Bank: 193752, 10 min"
    assert lettered("VOICE", "sv").body == "\n".join(["Koden är 1, 9, 3, 7, 5, 2. Ring 1 1 2."] * 2)
    mail = lettered("EMAIL", "sv")
    assert (mail.subject, mail.body) == ("Kod från Åsas Bank", "Hej <du>!\n\nKod: 193752, bara 193752.\n")
    assert '<p>Hej &lt;du&gt;!<br><br>Kod: <bdi dir="ltr"><strong>193752</strong></bdi>, bara 193752.</p>' in str(
        mail.html
    )
    assert lettered("SMS", "nb").body == "193752 er koden din for Åsas Bank. Den er gyldig i 10 minutter."


def test_a_channel_without_own_words_keeps_ours(acme: Organization, lettered: Lettered) -> None:
    acme.message_templates = own(SMS="{code}")

    assert lettered("SMS", "sv").body == CODE
    assert lettered("EMAIL", "sv").subject == "Din kod för Åsas Bank"


def test_own_english_words_serve_britain_too_unless_it_has_its_own(acme: Organization, lettered: Lettered) -> None:
    acme.message_templates = {"otp": {"en": {"SMS": "en {code}"}}}
    assert lettered("SMS", "en-GB").body == "en 193752"

    acme.message_templates = {"otp": {"en": {"SMS": "en {code}"}, "en-GB": {"SMS": "gb {code}"}}}
    assert lettered("SMS", "en-GB").body == "gb 193752"


def test_no_value_is_read_as_a_placeholder_and_no_format_language_is_at_work(
    acme: Organization, lettered: Lettered
) -> None:
    acme.message_templates = own(SMS="{code} %s {{ code }} {name.__class__} {name}")
    assert lettered("SMS", "sv", name="{minutes}").body == "193752 %s {{ code }} {name.__class__} {minutes}"


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ({"welcome": {}}, "Only otp has own texts, by language and channel."),
        ({"otp": []}, "Only otp has own texts, by language and channel."),
        ({"otp": {"xx": {}}}, "xx: there is no such language."),
        ({"otp": {"pr-BR": {"SMS": "{code}"}}}, "pr-BR: there is no such language."),
        ({"otp": {"sv": "{code}"}}, "sv: there is no such language."),
        (own(PIGEON="{code}"), "sv PIGEON: there is no such channel."),
        (own(SMS=""), "sv SMS: a text is missing."),
        (own(SMS=7), "sv SMS: a text is missing."),
        (own(SMS="Din kod"), "sv SMS: the text must hold {code}."),
        (own(EMAIL="Din kod"), "sv EMAIL: the text must hold {code}."),
        (own(VOICE="{code} i {minutes}"), "sv VOICE: {minutes} cannot be spoken."),
        (own(SMS="{code} {kod}"), "sv SMS: only {code}, {name} and {minutes} stand in braces."),
        (own(SMS="{code!r} {code}"), "sv SMS: only {code}, {name} and {minutes} stand in braces."),
        (own(SMS="{code}" + "x" * 475), "sv SMS: at most 480 characters."),
        (own(SMS="{code}\0"), "sv SMS: control characters cannot be sent."),
        (own(SUBJECT="Kod\r\nBcc: eve@example.com"), "sv SUBJECT: control characters cannot be sent."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_own_text_that_cannot_be_sent_is_refused(texts: dict[str, Any], sentence: str) -> None:
    assert refused(texts) == [sentence]


def test_every_wrong_text_is_named_and_right_ones_pass() -> None:
    assert refused({"otp": {"sv": {"SMS": "x", "VOICE": "{code}"}, "de": {"EMAIL": "y"}}}) == [
        "sv SMS: the text must hold {code}.",
        "de EMAIL: the text must hold {code}.",
    ]
    otp_texts.check_own({})
    otp_texts.check_own({"otp": {"pt-BR": {"SMS": "{code}", "SUBJECT": "Oi"}, "he": {}}})


# --- catalogues -----------------------------------------------------------------------------------------


@languages
def test_every_catalogue_is_complete_keeps_the_placeholders_and_is_compiled(language: str) -> None:
    # With Python alone: whoever runs the suite need not have the gettext programs.
    po = otp_texts.catalogue_of(language)
    entries = written(po.read_text(encoding="utf-8"))

    assert set(entries) == set(otp_texts.TEXTS)
    for text, forms in entries.items():
        for form in forms:
            assert form.strip()
            assert placeholders(form) <= placeholders(text)
        # A singular or a dual may be a word without a number.
        assert placeholders(forms[-1]) == placeholders(text)
    with po.with_suffix(".mo").open("rb") as file:
        compiled = vars(gettext.GNUTranslations(file))["_catalog"]
    assert {form for text, form in compiled.items() if text} == {form for forms in entries.values() for form in forms}


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{\w*\}", text))


def written(catalogue: str) -> dict[str, list[str]]:
    """Answer the translations of every text in a catalogue, the header left out."""
    entries: dict[str, list[str]] = {}
    for block in catalogue.split("\n\n")[1:]:
        assert "#, fuzzy" not in block
        text = re.search(r"^msgid (\".*\")$", block, re.MULTILINE)
        assert text is not None
        forms = re.findall(r"^msgstr(?:\[\d\])? (\".*\")$", block, re.MULTILINE)
        entries[ast.literal_eval(text[1])] = [ast.literal_eval(form) for form in forms]
    return entries
