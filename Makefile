# The commands of the course. They need Python >= 3.10 and make; each makes the environment
# itself when it is missing. Those for authors and instructors are in tests/targets.mk.
SHELL := /bin/bash
PYTHON ?= python3
STAMP := .venv/.made
SETTINGS := .venv/share/jupyter/lab/settings
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv

ifneq ($(wildcard course_grader),)
EXTRAS := grade,test,site,weights
else # the students' edition
EXTRAS := weights
endif

.PHONY: help demo lab notebooks env

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

demo: $(STAMP) ## train, count; for instructors also release and grade a class: two minutes
	@course demo

lab: $(STAMP) ## JupyterLab, on the map of the units
	@python -m course_lib.landing > /dev/null
	@JUPYTER_CONFIG_PATH='$(CURDIR)/.jupyter' jupyter lab START.md

notebooks: $(STAMP) ## execute the notebooks that changed
	@course notebooks run

env: $(STAMP) ## make the environment

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
	  uv pip install --editable '.[$(EXTRAS)]' --constraint constraints.txt; \
	else \
	  pip install --disable-pip-version-check --editable '.[$(EXTRAS)]' --constraint constraints.txt; \
	fi
	@mkdir -p $(SETTINGS)  # or JupyterLab covers the first notebook with a question
	@echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}' \
	  > $(SETTINGS)/overrides.json
	@touch $@

-include tests/targets.mk
