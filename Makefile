# The commands of the course. `make demo` and `make test` need Python >= 3.10 and make;
# each makes the environment itself when it is missing.
SHELL := /bin/bash
PYTHON ?= python3
STAMP := .venv/.made
SETTINGS := .venv/share/jupyter/lab/settings
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv

.PHONY: help demo test test-all quick lab notebooks release bench site gpu env constraints

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: $(STAMP) ## train, count, release, grade a sample class: two minutes
	@course demo

# a worker a core, of one thread each; the order of files: tests/conftest.py
PYTEST := OMP_NUM_THREADS=1 pytest -n auto --maxprocesses 8 --dist loadfile \
  --no-loadscope-reorder

test: $(STAMP) ## all that CI runs: lint, tests, notebooks, assignments
	@ruff check . && ruff format --check .
	@$(PYTEST) --nbval -m "not thorough" tests notebooks

test-all: $(STAMP) ## the same and every planted mistake and notebook; leaves nothing out
	@ruff check . && ruff format --check .
	@$(PYTEST) --nbval tests notebooks

quick: $(STAMP) ## the tests for each edit
	@ruff check . && $(PYTEST) -q -m "not slow and not thorough" tests

lab: $(STAMP) ## JupyterLab, on the map of the units
	@python -m course_lib.landing > /dev/null
	@JUPYTER_CONFIG_PATH=$(CURDIR)/.jupyter jupyter lab START.md

notebooks: $(STAMP) ## execute the notebooks that changed
	@course notebooks run

release: $(STAMP) ## make assignments/ from solutions/
	@course release

bench: $(STAMP) ## ours against the peers, side by side
	@pip install --quiet --editable '.[grade,test,site,weights,bench]' --constraint constraints.txt
	@pip install --quiet vlsift 2> /dev/null || echo "VLFeat does not build here: no row for it"
	@for peers in flops train shards sift codebooks grading; do python benchmarks/$$peers.py || exit; done

site: $(STAMP) ## the web site, in docs/_build/html, without a network
	@python docs/site/build.py

gpu: ## GPU tests, then the whole queue of records, with the torch of PYTHON
	@$(PYTHON) -c "import sys, torch; sys.exit(not torch.cuda.is_available())" 2> /dev/null || { \
	  echo "$(PYTHON) finds no PyTorch with a CUDA device: name another, make PYTHON=... gpu"; \
	  exit 1; }
	@$(PYTHON) -c 'import pytest' || echo "no pytest here: the GPU tests are left out"
	@! $(PYTHON) -c 'import pytest' 2> /dev/null || $(PYTHON) -m pytest -q tests/gpu
	@$(PYTHON) -m course_lib.records

env: $(STAMP) ## make the environment

constraints: ## pin the newest versions that fit (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.10 \
	  --quiet --no-header --no-annotate --output-file constraints.txt
	@sed -i '1i # The exact versions last tested, for every Python from 3.10 on. Made anew by `make constraints`.' constraints.txt

$(STAMP): pyproject.toml constraints.txt
	@echo "Making the environment in .venv: 6 GB of disk, 2 to 6 minutes, only once."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "$(PYTHON) is missing or older than 3.10: name another, make PYTHON=python3.12 demo"; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || { \
	  echo "This Python cannot make environments (Debian keeps that apart): installing python3-venv"; \
	  root=$$([ $$(id -u) = 0 ] || echo sudo -n); \
	  $$root apt-get -qq update && $$root apt-get -qq install -y python3-venv > /dev/null; } || { \
	  echo "That needs your password. Run: sudo apt install python3-venv"; exit 1; }
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@if command -v uv > /dev/null; then \
	  uv pip install --editable '.[grade,test,site,weights]' --constraint constraints.txt; \
	else \
	  pip install --disable-pip-version-check --editable '.[grade,test,site,weights]' --constraint constraints.txt; \
	fi
	@mkdir -p $(SETTINGS)  # or JupyterLab covers the first notebook with a question
	@echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}' \
	  > $(SETTINGS)/overrides.json
	@touch $@
