# Every target makes what it needs; what is there already is used again.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench bench-switch bench-watch bench-clinic sweep soak clean venv engine images
PY := .venv/bin/python
# Where a machine keeps no bytecode, each of a test run's hundreds of commands would compile all of otagate anew.
unexport PYTHONDONTWRITEBYTECODE
# Two workers, each taking whole modules in order: a module's tests share what they raised.
ABREAST := -n 2 --dist loadfile --no-loadscope-reorder

help: ## these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: images ## all there is to set up: Python, engine, base image, platforms' images and data
	@echo "Ready. Next: make demo, or make test, or .venv/bin/otagate --help"

demo: images ## the clinic's story from nothing to the report; DEMO=--fast for a shorter one, on hello
	.venv/bin/otagate demo $(DEMO)

test: check images ## the checks, then every test (TESTS=tests/core chooses)
	$(PY) -m pytest $(ABREAST) $(TESTS)

check: venv ## format, lint, types, layers
	scripts/check.sh

bench: images ## figures that are reported, not tested
	$(PY) tests/bench/help_time.py
	$(PY) -m tests.bench.raise_time
	$(PY) -m tests.bench.mirror_time

bench-watch: ## what the watch sees and how often it cries wolf, simulated; writes docs/watch.md's figures
	$(PY) -m tests.bench.watch_power $(BENCH)

bench-switch: images ## the switch under load, judged, beside other ways to turn traffic; writes docs/switch.md's figures
	$(PY) -m tests.bench.switch_flips $(BENCH)

bench-clinic: images ## the clinic's builds, arithmetic, chain and services; writes its docs/figures.md; half an hour
	$(PY) -m tests.bench.clinic_figures $(BENCH)

sweep: images ## faults at every call, power cuts, killed leases: about two hours; needs root for the loop device
	$(PY) -m tests.sweep.kill_sweep $(SWEEP)
	$(PY) -m tests.sweep.power_cut strict
	$(PY) -m tests.sweep.power_cut loop
	$(PY) -m tests.sweep.leases
	$(PY) -m tests.sweep.real
	$(PY) -m tests.sweep.engine

soak: images ## 200 rounds of test, promote and rollback on hello: nothing may leak; an hour or two; goes on where it ended
	$(PY) -m tests.bench.soak $(SOAK)

clean: venv ## what demo and tests left in the engine, and caches; never a user's platform
	@$(PY) -m scripts.clean

venv:
	@scripts/venv.sh

engine: venv
	@scripts/engine.sh

images: engine
	@$(PY) -m scripts.images
