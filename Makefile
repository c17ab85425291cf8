# make demo: the page on the embedded ensemble. make test: everything that must hold. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint figures

demo: .venv/installed
	$(BIN)/python app.py

test: .venv/installed-dev lint
	$(BIN)/python -m pytest

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# The figures of the README: trained without group 1 of the real cells, tested on it. About an hour on two cores.
CNMC ?= ../shared/data/cnmc
START ?= ../shared/imagenet
figures: .venv/installed
	$(BIN)/leukovision train $(CNMC)/training_data --hold-out $(CNMC)/groups.csv:1 \
		--backbone-weights $(START) --out runs/without-group-1 --resume
	$(BIN)/leukovision evaluate runs/without-group-1 $(CNMC)/training_data --only $(CNMC)/groups.csv:1 \
		--out runs/figures

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
