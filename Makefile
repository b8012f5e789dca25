# Everything a person or CI runs here has one name, and `make help` explains it.
# The recipes are plain commands: each also works without make, once .venv is there.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/.installed
APT_GET := DEBIAN_FRONTEND=noninteractive apt-get -qq

# Hundreds of processes start here, and each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# A file's tests stay together, and the files begin in the order of `conftest.py`.
SIDE_BY_SIDE := -n auto --dist loadfile --no-loadscope-reorder

# Debian packages that `make demo` and `make test` use, each with its reason.
DEBIAN += python3-venv # .venv, where python3 is Debian's own
DEBIAN += curl         # a client we did not write: the HTTP API must please it too
DEBIAN += chromium     # the page of a run has a script, and a browser runs it

.PHONY: help demo test bulk quick check models chaos bench nightly docs coverage mutants kills system-deps clean

help: ## show this text
	@echo "mesos-ref: a formally specified Mesos.  Needs python3 >= 3.11 with venv, make and git."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "The first of them makes .venv (a minute, once, and again when pyproject.toml changes)."
	@echo "ARGS='...' is handed on to what runs:  make test ARGS='-k offers -x'"

demo: $(INSTALLED) ## real processes: kill the leading master, an agent, an executor; judge it
	@$(BIN)/mesos-chaos demo $(ARGS)

test: check ## check, then every test but those of `make bulk` and the nightly ones
ifeq ($(strip $(ARGS)),)
	$(BIN)/pytest $(SIDE_BY_SIDE)
else
	$(BIN)/pytest $(ARGS)
endif

bulk: $(INSTALLED) ## more of what `make test` has some of: plans, faults, mutants (as CI does)
	$(BIN)/pytest -n auto --dist load --maxschedchunk 1 -m "bulk and not nightly" $(ARGS)

quick: $(INSTALLED) ## the tests to run while you work: none that is slow or starts processes
	$(BIN)/pytest -q -m "not slow and not live and not bulk and not nightly" $(ARGS)

check: $(INSTALLED) ## lint, format, types, who imports whom
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

models: $(INSTALLED) ## check the bounded models: every state, against the pinned counts
	$(BIN)/mesos-spec check --at-once 0 $(ARGS)

chaos: $(INSTALLED) ## run the fault scenarios that come with the package
	$(BIN)/mesos-chaos run $(ARGS)

bench: $(INSTALLED) ## measure what README's performance table says
	$(BIN)/python -m benchmarks $(ARGS)

nightly: $(INSTALLED) ## everything, with many more examples and a new seed each time (hours)
	$(BIN)/pytest $(SIDE_BY_SIDE) --hypothesis-profile=nightly -m "" $(ARGS)
	$(BIN)/mesos-spec check --nightly --at-once 0
	$(BIN)/mesos-chaos run
	$(BIN)/mesos-chaos exhaust --pairs --jobs 2
	$(BIN)/mesos-chaos search --runs 20000 --jobs 2 --seed "$$(date +%F)"
	$(BIN)/mesos-chaos search --tier 2 --time 10m --jobs 2 --seed "$$(date +%F)"

docs: $(INSTALLED) ## write docs/reference anew from the code
	$(BIN)/python -m docs.generate --searched $(ARGS)

coverage: $(INSTALLED) ## run the scenarios in simulation, and write down what they exercise
	$(BIN)/python -m docs.generate --coverage $(ARGS)

mutants: $(INSTALLED) ## hunt the mutants of the specification, and write down what is caught
	$(BIN)/python -m docs.generate --mutants $(ARGS)

kills: $(INSTALLED) ## hunt the mutants of the implementation, and write down what catches them
	$(BIN)/python -m docs.generate --kills $(ARGS)

system-deps: ## install the Debian packages that the tests use (as root)
	@missing=""; for package in $(DEBIAN); do \
	    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q ' installed$$' \
	        || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then echo "system-deps: nothing is missing"; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "system-deps: not installed (needs root and apt-get):$$missing"; \
	else \
	    echo "system-deps: installing$$missing"; \
	    $(APT_GET) install -y --no-install-recommends $$missing >/dev/null 2>&1 || { \
	        $(APT_GET) update && $(APT_GET) install -y --no-install-recommends $$missing >/dev/null; }; \
	fi

clean: ## remove .venv and all that tools have cached; runs/ stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Made again when pyproject.toml is newer, or when the checkout has moved (see .ci/venv).
ifneq ($(shell cat $(INSTALLED) 2>/dev/null),$(CURDIR))
.PHONY: $(INSTALLED)
endif

$(INSTALLED): pyproject.toml
	@PYTHON="$(PYTHON)" .ci/venv $@
