# `make` or `make help` lists what can be done here. Nothing but Python 3.11 or newer and a package registry is needed.
.DEFAULT_GOAL := help
.PHONY: help run test test-services lint check matrix bench messages lock chromium clean
SHELL := /bin/sh
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# An environment is done when the lock it was made from is the lock that lies here; then nothing asks the network.
RUNTIME := .venv/.runtime-$(shell cksum < requirements.txt | cut -d' ' -f1)
DEVELOPMENT := .venv/.development-$(shell cat requirements.txt requirements-dev.txt | cksum | cut -d' ' -f1)
# The operator's names must not reach the tests: they start from the defaults.
NAMES := $(shell sed -n 's/^| `\([A-Z_]*\)` .*/\1/p' docs/settings.md)
DEFAULTS := env $(NAMES:%=-u %) $(NAMES:%=-u %_FILE)
# Whole files to two runners: a file may start something that all its tests share.
PYTEST = $(BIN)/python -m pytest -n 2 --dist loadfile

TEST_DATABASE_URL ?= $(or $(DATABASE_URL),postgres://postgres@127.0.0.1:5432/switchboard)
TEST_REDIS_URL ?= $(or $(REDIS_URL),redis://127.0.0.1:6379/9)
TEST_BROKER_URL ?= $(or $(CELERY_BROKER_URL),redis://127.0.0.1:6379/10)

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' $(firstword $(MAKEFILE_LIST)) | while read -r t w; do printf '  %-14s %s\n' "$$t" "$$w"; done

run: $(RUNTIME) ## serve the portal with its worker and beat; Ctrl-C stops all of it
	@exec $(BIN)/python manage.py serve

test: $(DEVELOPMENT) chromium ## run the whole suite on SQLite and the embedded broker; ARGS= goes to pytest
	@exec $(DEFAULTS) $(PYTEST) $(ARGS)

test-services: $(DEVELOPMENT) chromium ## run the same suite on PostgreSQL, Redis and a Celery worker with a real broker
	@exec $(DEFAULTS) DATABASE_URL=$(TEST_DATABASE_URL) REDIS_URL=$(TEST_REDIS_URL) \
		CELERY_BROKER_URL=$(TEST_BROKER_URL) $(PYTEST) $(ARGS)

lint: $(DEVELOPMENT) ## check format, style, types, import contracts, system checks, migrations, pages, translations
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(DEFAULTS) $(BIN)/lint-imports --no-cache
	@$(DEFAULTS) DJANGO_SETTINGS_MODULE=config.settings.test $(BIN)/python manage.py check --fail-level WARNING
	@$(DEFAULTS) DJANGO_SETTINGS_MODULE=config.settings.test $(BIN)/python manage.py makemigrations --check --dry-run
	@$(DEFAULTS) $(BIN)/python -m config.settings_page --check
	@$(DEFAULTS) DJANGO_SETTINGS_MODULE=config.settings.test $(BIN)/python manage.py check_translations
	@exec $(DEFAULTS) $(BIN)/mypy

check: lint chromium ## what a change must pass: lint, then the suite with branch coverage
	@exec $(DEFAULTS) COVERAGE_FILE=.venv/.cache/coverage $(PYTEST) --cov --cov-report=term-missing:skip-covered $(ARGS)

bench: $(RUNTIME) ## measure requests per second and CPU milliseconds of the hot paths
	@exec $(DEFAULTS) $(BIN)/python bench/hot_path.py $(ARGS)

matrix: $(DEVELOPMENT) ## print which test holds the wire to which section of the contract
	@exec $(DEFAULTS) $(BIN)/python -m tests.matrix

messages: $(DEVELOPMENT) ## collect the texts to translate and compile the translations (needs gettext)
	@$(BIN)/python manage.py makemessages --all --no-obsolete --no-wrap --add-location file --ignore .venv --ignore tests --ignore config/locale
	@$(BIN)/python manage.py compilemessages --ignore .venv
	@for po in templates/messages/languages/*/LC_MESSAGES/otp.po; do msgfmt --check-format --output-file="$${po%po}mo" "$$po" || exit 1; done

lock: $(DEVELOPMENT) ## resolve the requirements of pyproject.toml anew, with hashes
	@for part in requirements.txt: requirements-dev.txt:--group=dev; do \
		{ echo '# Made by `make lock` from pyproject.toml; install with pip --require-hashes.'; \
		$(BIN)/uv pip compile pyproject.toml $${part#*:} --generate-hashes --universal --python-version 3.11 --quiet \
			--no-header --no-annotate --no-emit-index-url; } > .venv/lock && mv .venv/lock "$${part%%:*}" || exit 1; \
	done

clean: ## remove the environment and every __pycache__; var/ is yours and stays
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@exec rm -rf .venv

.venv/bin/python:
	@for python in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11; do \
		if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec $$python -m venv .venv; fi; done; \
	echo 'Python 3.11 or newer is needed; PYTHON=<path> names one.' >&2; exit 1

$(RUNTIME): | .venv/bin/python
	@echo 'installing the requirements into .venv' >&2
	@$(BIN)/python -m pip install -qq --require-hashes --requirement requirements.txt
	@rm -f .venv/.runtime-*; touch $@

$(DEVELOPMENT): | .venv/bin/python
	@echo 'installing the development requirements into .venv' >&2
	@$(BIN)/python -m pip install -qq --require-hashes --requirement requirements-dev.txt
	@rm -f .venv/.runtime-* .venv/.development-*; touch $(RUNTIME) $@

chromium: $(DEVELOPMENT) # the browser tests find one, or install it where they may
	@$(BIN)/python -m tests.chromium
