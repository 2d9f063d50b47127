# make bench and make test do everything from a bare checkout. Both are quick the second time.
# On Windows, or without make: the same as plain commands in README.md.

PYTHON ?= python3
TORCH ?=# another torch than the pinned one, such as TORCH='==2.10.*'; it takes effect when .venv is set up
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BROWSERS := chromium chromium-browser google-chrome google-chrome-stable

# The time that is written into a package: that of the commit it is built from
EPOCH = $(shell git log -1 --format=%ct 2>/dev/null || echo 1577836800)
# The tests of the core that need nothing of the checkout but themselves, and that what is missing in a package would break: the command,
# the kernels from their installed sources, and their cache; not those of the arithmetic, which takes long and is the same wherever it lies
OUTSIDE := cache cli devices fused listing problem

.PHONY: bench bench-peers gpu test mutants browser lint types workflows docs smoke package installed clean require

bench: $(READY)  ## time every variant on every device here, and write results/
	$(BIN)/python -m pytest --benchmark-only

bench-peers: $(READY)  ## the same, beside numpy, numba and jax (installs some 600 MB)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,peers]'
	$(BIN)/python -m pytest --benchmark-only --peers

DEVICE ?= cuda# of make gpu; cpu rehearses it
gpu: $(READY)  ## all that is to be known of a GPU, in eight minutes, into gpu-results/
	$(BIN)/python -m bench upkeep gpu --device $(DEVICE)

test: $(READY)  ## run the tests, a few files at a time
	OMP_WAIT_POLICY=passive $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

mutants: $(READY)  ## change the code that decides, a little at a time, and see that a test notices; takes an hour
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,mutants]'
	OMP_NUM_THREADS=1 $(BIN)/mutmut run && $(BIN)/mutmut results

browser:  ## the browser that the page is tested in: where there is none, apt-get installs one if it can
	@for name in $(BROWSERS); do ! command -v $$name >/dev/null || exit 0; done; test -n "$$TARGETRL_CHROMIUM" \
	|| { apt-get update -qq && apt-get install -qq --yes --no-install-recommends chromium; } >/dev/null 2>&1 \
	|| { echo "targetrl needs a browser to test its page: install chromium, or name one in TARGETRL_CHROMIUM" >&2; exit 2; }

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy

workflows: $(READY)  ## check what .github/ holds
	$(BIN)/actionlint
	$(BIN)/zizmor --offline --persona pedantic --no-progress .github

docs: $(READY)  ## make the pages and pictures of docs/ and the tables of results/ anew
	$(BIN)/python -m bench upkeep docs

smoke: $(READY)  ## a short timed run on the CPU, kept out of results/
	$(BIN)/python -m pytest --benchmark-only --quick --device cpu

package: $(READY)  ## make wheel and sdist, twice, and check that both are the same, whole, and nothing else
	rm -rf dist
	for folder in dist dist/again; do SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/python -m build --no-isolation --outdir $$folder >/dev/null || exit; done
	cd dist/again && for file in *; do cmp $$file ../$$file || exit; done
	rm -r dist/again
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents --package targetrl_core dist/*.whl
	$(BIN)/python -m pytest -q tests/test_package.py

installed: package  ## install the wheel where nothing else is, and run the tests of the core there, away from the checkout
	set -e; place=$$(mktemp -d); trap 'rm -rf "$$place"' EXIT; \
	$(PYTHON) -m venv $$place/venv; \
	$$place/venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt dist/*.whl hypothesis mpmath; \
	cp -R pyproject.toml tests $$place; cd $$place; \
	venv/bin/python -m pip check; \
	venv/bin/python -c 'import pathlib, sys, targetrl_core as core; sys.exit(not pathlib.Path(core.__file__).is_relative_to(sys.prefix))'; \
	venv/bin/targetrl --version; \
	venv/bin/python -m pytest -q $(OUTSIDE:%=tests/test_%.py)

$(READY): pyproject.toml constraints.txt | require
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(if $(TORCH),$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'torch$(TORCH)')
	touch $@

require:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "targetrl needs Python 3.11 or newer: install it, or name it with make PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "targetrl needs Python's venv module: on Debian and Ubuntu, apt install python3-venv" >&2; exit 2; }
	@$(PYTHON) -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' || { echo "targetrl needs Python's headers for torch.compile: on Debian and Ubuntu, apt install python3-dev" >&2; exit 2; }
	@command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null || { echo "targetrl needs a C++ compiler for torch.compile: on Debian and Ubuntu, apt install g++; on macOS, xcode-select --install" >&2; exit 2; }

clean:
	rm -rf $(VENV) dist screenshots gpu-results .pytest_cache .ruff_cache .mypy_cache .benchmarks .hypothesis
