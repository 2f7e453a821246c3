# What a developer and CI run. Everything a command needs is set up first (scripts/setup.sh), once.
# ARGS goes to the program behind a command: make run ARGS='--port 9000', make pytest ARGS='-k retention'.
.DEFAULT_GOAL := help
.NOTPARALLEL:

python := .venv/bin/python
# Node from its wheel where the machine has none; the folder is not there where it has.
export PATH := $(CURDIR)/.venv/node/bin:$(PATH)
# Both would ask a registry for their newest versions.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export npm_config_update_notifier := false

.PHONY: help
help: ## show this
	@sed -n 's/^\([a-z]*\):.*## /  make \1|/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

.PHONY: run
run: setup ## set up and serve on http://127.0.0.1:8080 (TRACKER_HOST, PORT)
	@exec $(python) -m tracker_backend serve $(ARGS)

.PHONY: test
test: lint vitest pytest ## set up and run every check and test that can run on this machine

.PHONY: setup
setup: ## what the others do first: Python and Node packages, the tracker's build
	@sh scripts/setup.sh

.PHONY: lint
lint: setup ## check format, lint and types, of Python and of the tracker
	$(python) -m ruff format --check .
	$(python) -m ruff check .
	$(python) -m pyright
	$(python) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	cd tracker_js && npm run --silent lint && npm run --silent typecheck

.PHONY: vitest
vitest: setup ## test the tracker
	cd tracker_js && npm run --silent test

.PHONY: pytest
pytest: setup ## test the server; skipped tests are listed by name with the reason
	@# A test that hangs ends the run and shows where it hung; the slowest takes a tenth of that time. Files run in the
	@# order of their names: the long ones, of docs and e2e, come early, and no process waits for another at the end.
	$(python) -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder --durations=10 --max-worker-restart=0 -ra --no-fold-skipped -o faulthandler_timeout=300 -o faulthandler_exit_on_timeout=true $(ARGS)

.PHONY: format
format: setup ## format Python and mend what ruff can
	$(python) -m ruff check --fix-only .
	$(python) -m ruff format .

.PHONY: reference
reference: setup ## write the tables of docs/reference from the docstrings
	$(python) -m scripts.reference

.PHONY: bench
bench: setup ## measure: load, raw COPY, reads
	@exec $(python) -m bench $(ARGS)

.PHONY: picture
picture: setup ## make the README's picture: a visit of the demo shop, replayed
	$(python) -m scripts.picture

.PHONY: build
build: ## build the tracker, and the wheel with it into dist/
	@rm -f tracker_js/node_modules/.built
	@sh scripts/setup.sh
	$(python) -m hatchling build --target wheel

.PHONY: lock
lock: setup ## write requirements.lock anew from pyproject.toml (ARGS=--upgrade for newer versions)
	$(python) -m uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
	    --group dev --output-file requirements.lock $(ARGS) pyproject.toml

.PHONY: clean
clean: ## remove what set-up and builds made
	rm -rf .venv dist tracker_js/dist tracker_js/node_modules .pytest_cache .ruff_cache .hypothesis
	find src tests bench scripts -name __pycache__ -prune -exec rm -rf {} +
