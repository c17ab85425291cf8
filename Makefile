# make demo: the page on the embedded ensemble. make test: everything that must hold. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check lint docs bench figures trust audit-dependencies

demo: .venv/installed
	$(BIN)/leukovision demo --open

test: .venv/installed-dev lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# What tells soon whether a change holds; `make test` tells the rest.
check: .venv/installed-dev lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not long"

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# The pages, into build/docs; a link that leads nowhere is an error.
docs: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

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

# An ensemble and its figures: trained on all subjects, and calibrated by what the same recipe says of subjects that it had
# not seen: each of the four groups left out, and the subjects of the shift split that are far. PRESET=compact is the quick one.
CNMC ?= ../shared/data/cnmc
START ?= runs/start
PRESET ?= mixed
SAMPLE ?= --sample 3000
TRAIN = $(BIN)/leukovision train $(CNMC)/training_data --preset $(PRESET) --backbone-weights $(START) --features runs/features
RUN = runs/$(PRESET)
HELD_OUT = $(foreach group,0 1 2 3,$(RUN)-without-$(group))

figures: $(RUN) $(HELD_OUT) $(RUN)-without-far
	$(BIN)/leukovision evaluate $(HELD_OUT) $(CNMC)/training_data $(SAMPLE) --out $(RUN)-figures
	$(BIN)/leukovision evaluate $(RUN)-without-far $(CNMC)/training_data $(SAMPLE) --out $(RUN)-figures-far
	for side in figures figures-far; do \
		$(BIN)/leukovision figures $(RUN)-$$side/cells.csv --out $(RUN)-$$side --accuracy 0.8; done
	$(BIN)/leukovision calibrate $(RUN) $(RUN)-figures/cells.csv --accuracy 0.8
	$(BIN)/leukovision resave $(RUN) $(CNMC)/training_data --sample 160 --out $(RUN)-resaved
	$(BIN)/leukovision card $(RUN) $(RUN)-figures/figures.json --shift $(RUN)-figures-far/figures.json \
		--saved-again $(RUN)-resaved/saved_again.json
	$(BIN)/leukovision traits $(CNMC)/training_data --out $(RUN)-traits
	cp $(RUN)-traits/traits.json $(RUN)

# How far the maps can be trusted, on cells that the networks had not seen.
trust: $(RUN)-without-far
	$(BIN)/leukovision trust $(RUN)-without-far $(CNMC)/training_data --methods adds_up --cells 200 --thorough 0 --out runs/trust-200
	$(BIN)/leukovision trust $(RUN)-without-far $(CNMC)/training_data --cells 24 --thorough 2 --out runs/trust-all

# ImageNet weights of InceptionV3 and Xception, and what InceptionResNetV2 learns from them, in one folder.
IMAGENET ?= ../shared/imagenet
runs/start: .venv/installed
	$(BIN)/leukovision distil $(CNMC)/training_data --backbone-weights $(IMAGENET) --out $@
	ln -s $(abspath $(IMAGENET))/*.weights.h5 $@

$(HELD_OUT): $(RUN)-without-%: | $(START)
	$(TRAIN) --split $(CNMC)/groups.csv --hold-out $* --out $@

$(RUN)-without-far: | $(START)
	$(TRAIN) --split $(CNMC)/shift.csv --hold-out far --out $@

$(RUN): | $(START)
	$(TRAIN) --out $@

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
