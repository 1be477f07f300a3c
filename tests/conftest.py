"""What every test may ask for."""

pytest_plugins = [
    "tests.cast",
    "tests.races",
    "tests.network",
    "tests.processes",
    "tests.browsing",
    "tests.browsers",
    "tests.openid_provider",
]
