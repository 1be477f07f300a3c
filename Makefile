# `make` or `make help` lists what can be done here.
.DEFAULT_GOAL := help
.PHONY: help run
PYTHON ?= python3
BIN := .venv/bin

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  \1\t/' | expand -t 22

.venv/.runtime-%:
	@true
