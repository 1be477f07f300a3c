"""Settings come from the environment: typed, with defaults, and a senseless one is named and never shown."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.database import database
from config.environment import Environment, Rate, kept_secret


def test_a_setting_that_is_not_given_or_empty_has_its_default() -> None:
    environment = Environment({"EMPTY": "", "BLANK": "  "})

    assert [environment.integer(name, 7, "") for name in ("ABSENT", "EMPTY", "BLANK")] == [7, 7, 7]
    assert environment.text("ABSENT", "as it was", "") == "as it was"


def test_values_are_read_as_what_they_are() -> None:
    environment = Environment(
        {
            "NUMBER": "12",
            "WORDS": " one, two ,,three",
            "RATE": "20/hour",
            "FOLDER": "somewhere/deep",
            "URL": "https://portal.example/",
        }
    )

    assert environment.integer("NUMBER", 1, "") == 12
    assert environment.words("WORDS", "", "") == ["one", "two", "three"]
    assert environment.rate("RATE", "1/min", "") == Rate(limit=20, seconds=3600)
    assert environment.path("FOLDER", "var", "") == Path.cwd() / "somewhere/deep"
    assert environment.url("URL", "", "", schemes=("https",)) == "https://portal.example"


@pytest.mark.parametrize(("text", "rate"), [("5/sec", (5, 1)), ("60/min", (60, 60)), ("10000/day", (10000, 86400))])
def test_a_rate_is_a_limit_and_seconds(text: str, rate: tuple[int, int]) -> None:
    assert Environment({"RATE": text}).rate("RATE", "1/min", "") == rate


def test_a_number_above_its_cut_is_cut() -> None:
    assert Environment({"LOGIN_AS_SECONDS": "90000"}).integer("LOGIN_AS_SECONDS", 1800, "", cut_to=3600) == 3600


@pytest.mark.parametrize("value", ["abc", "1.5", "-1", "0", "70000", "١٢", "1e3", "--1"])
def test_a_senseless_number_is_refused_by_name(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^PORT must be"):
        Environment({"PORT": value}).integer("PORT", 8000, "", most=65535)


@pytest.mark.parametrize("value", ["60", "60/", "/min", "60/fortnight", "0/min", "-5/min", "many/min", "6.5/min"])
def test_a_senseless_rate_is_refused_by_name(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^THROTTLE must look like 60/min"):
        Environment({"THROTTLE": value}).rate("THROTTLE", "1/min", "")


@pytest.mark.parametrize(
    "value",
    [
        "portal.example",
        "ftp://portal.example",
        "https://",
        "https://portal.example:port",
        "https://a:b@c",
        "https://a/?q",
        "https://[1",
    ],
)
def test_a_senseless_url_is_refused_by_name(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^PUBLIC_URL "):
        Environment({"PUBLIC_URL": value}).url("PUBLIC_URL", "", "", schemes=("http", "https"))


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        ("twilio://default/", "user and password and from"),
        ("twilio://AC1@default/?from=+4670", "password"),
        ("twilio://AC1:token@default/?to=+4670", "from"),
        ("twilio://AC1:token@default/?from=", "from"),
        ("twilio:///?from=+4670", "user and password"),
    ],
)
def test_an_address_that_leaves_out_what_is_needed_is_refused_by_name(value: str, missing: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^SMS_URL leaves out {missing}\Z"):
        Environment({"SMS_URL": value}).url("SMS_URL", "", "", schemes=("twilio",), needs=("user", "password", "from"))


def test_an_address_with_all_that_is_needed_is_taken_as_it_is() -> None:
    value = "twilio://AC1:t%2Fk@default/?from=+46700000000"

    environment = Environment({"SMS_URL": value})

    assert environment.url("SMS_URL", "", "", schemes=("twilio",), needs=("user", "password", "from")) == value
    assert Environment({}).url("SMS_URL", "", "", schemes=("twilio",), needs=("user", "password", "from")) == ""


@pytest.mark.parametrize("origins", ["", "https://desk.example.com", "http://localhost:3000, https://*.example.com"])
def test_origins_are_exact_or_all_below_one_host(origins: str) -> None:
    expected = [origin.strip() for origin in origins.split(",") if origin]

    assert Environment({"CORS": origins}).origins("CORS", "", "") == expected


@pytest.mark.parametrize(
    "origins",
    [
        "*",
        "https://*",
        "null",
        "desk.example.com",
        "https://desk.example.com/",
        "https://a.example,*",
        "https://*.*.example",
    ],
)
def test_an_origin_that_lets_everybody_in_is_refused_by_name(origins: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^CORS must be origins"):
        Environment({"CORS": origins}).origins("CORS", "", "")


def test_a_word_outside_of_the_choices_is_refused_by_name() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^PORTAL_ENV must be one of a, b$"):
        Environment({"PORTAL_ENV": "prod"}).text("PORTAL_ENV", "a", "", choices=("a", "b"))


def test_a_refusal_never_repeats_the_value() -> None:
    environment = Environment({"DATABASE_URL": "mysql://root:hunter2@db/x", "PORT": "hunter2"})

    for read in (
        lambda: environment.url("DATABASE_URL", "", "", schemes=("postgres",), secret=True),
        lambda: environment.integer("PORT", 8000, ""),
    ):
        with pytest.raises(ImproperlyConfigured) as refusal:
            read()
        assert "hunter2" not in str(refusal.value)
        assert refusal.value.__cause__ is None


def test_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    environment = Environment({"A_FILE": str(file), "B": "from the variable", "B_FILE": str(file)})

    assert environment.text("A", "", "", secret=True) == "from the file"
    assert environment.text("B", "", "", secret=True) == "from the variable"


def test_only_secrets_are_read_from_files(tmp_path: Path) -> None:
    file = tmp_path / "port"
    file.write_text("9000")

    assert Environment({"PORT_FILE": str(file)}).integer("PORT", 8000, "") == 8000


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ImproperlyConfigured, match=r"^A_FILE names a file that cannot be read$"):
        Environment({"A_FILE": str(file)}).text("A", "", "", secret=True)


def test_many_first_starts_at_once_agree_on_one_secret(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret_key"

    with ThreadPoolExecutor(16) as pool:
        secrets = set(pool.map(lambda _: kept_secret(path), range(64)))

    assert len(secrets) == 1
    assert len(secrets.pop()) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_without_an_address_the_database_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    made = database("", tmp_path / "var")

    assert made["NAME"] == tmp_path / "var" / "portal.sqlite3"
    assert made["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert (tmp_path / "var").is_dir()


def test_a_database_address_is_taken_apart(tmp_path: Path) -> None:
    made = database("postgres://portal:p%40ss@db.example:6432/switchboard?sslmode=verify-full", tmp_path)

    assert {name: made[name] for name in ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")} == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "switchboard",
        "USER": "portal",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "6432",
    }
    assert made["OPTIONS"]["sslmode"] == "verify-full"
    assert made["CONN_HEALTH_CHECKS"] is True
    assert made.get("ATOMIC_REQUESTS", False) is False
