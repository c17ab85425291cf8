# make demo: the page on the embedded ensemble. make test: everything that must hold. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint bench figures trust audit-dependencies

demo: .venv/installed
	$(BIN)/python app.py

test: .venv/installed-dev lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# One version of everything, with hashes, for Python 3.11 to 3.13: what the Dockerfile installs.
requirements.lock: requirements.txt | .venv/installed-dev
	$(BIN)/uv pip compile requirements.txt --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--upgrade --custom-compile-command "make requirements.lock" --quiet -o $@

# Known faults of what the lock file names; a report that fails no build. It asks PyPI, or says that it cannot.
audit-dependencies: .venv/installed-dev
	timeout 120 $(BIN)/uv tool run --quiet pip-audit --requirement requirements.lock --require-hashes --disable-pip \
		--progress-spinner off --timeout 10 || echo "audit-dependencies: faults were found, or PyPI could not be asked (see above)"

# What decisions cost, into docs/performance.md.
bench: .venv/installed-dev
	$(BIN)/python benchmarks/forward.py 5
	$(BIN)/python benchmarks/start.py 3
	$(BIN)/python benchmarks/load.py 1,5,20 30
	$(BIN)/python benchmarks/cells.py 1000

# The ensemble in weights/ and the figures of the README: each of the four groups of subjects is left out once of
# training and tested; then one is trained on all and calibrated by what the four said of subjects they had not seen.
CNMC ?= ../shared/data/cnmc
START ?= ../shared/imagenet
WITHOUT = $(foreach group,0 1 2 3,runs/without-$(group))
TRAIN = $(BIN)/leukovision train $(CNMC)/training_data --backbone-weights runs/start --features runs/features

figures: $(WITHOUT) runs/compact runs/leaking
	$(BIN)/leukovision evaluate $(WITHOUT) $(CNMC)/training_data --out runs/figures
	$(BIN)/leukovision calibrate runs/compact runs/figures/cells.csv
	$(BIN)/leukovision card runs/compact runs/figures/figures.json
	$(BIN)/leukovision evaluate runs/leaking $(CNMC)/training_data --split image --only test --out runs/figures-leaking

# How far the maps can be trusted, on cells that the networks had not seen.
trust: $(WITHOUT)
	$(BIN)/leukovision trust $(WITHOUT) $(CNMC)/training_data --methods adds_up --cells 200 --thorough 0 --out runs/trust-200
	$(BIN)/leukovision trust $(WITHOUT) $(CNMC)/training_data --cells 24 --thorough 2 --out runs/trust-all

runs/start: .venv/installed
	$(BIN)/leukovision distil $(CNMC)/training_data --backbone-weights $(START) --out $@
	ln -s $(abspath $(START))/*.weights.h5 $@

runs/without-%: runs/start
	$(TRAIN) --split $(CNMC)/groups.csv --hold-out $* --out $@

runs/compact: runs/start
	$(TRAIN) --out $@

# The usual protocol, by image: cells of one person on both sides. Only there to show what that does.
runs/leaking: runs/start
	$(TRAIN) --split image --hold-out validation,test --allow-leak --backbone xception --out $@

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
