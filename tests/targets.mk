# The commands of `make` for authors and instructors; the students' edition has none.
.PHONY: test test-all quick release bench site gpu constraints

# a worker a core, of one thread each; the order of files: tests/conftest.py
PYTEST := OMP_NUM_THREADS=1 pytest -n auto --maxprocesses 8 --dist loadfile \
  --no-loadscope-reorder

test: $(STAMP) ## all that CI runs: lint, tests, notebooks, assignments
	@ruff check . && ruff format --check .
	@$(PYTEST) --nbval -m "not thorough" tests notebooks

test-all: $(STAMP) ## the same and every planted mistake and notebook; leaves nothing out
	@ruff check . && ruff format --check .
	@$(PYTEST) --nbval tests notebooks

quick: $(STAMP) ## the tests for each edit: a minute on two cores; names the longest
	@ruff check . && $(PYTEST) -q -p no:nbval --durations=10 -m "not slow and not thorough" tests

release: $(STAMP) ## make assignments/ from solutions/
	@course release

bench: $(STAMP) ## ours against the peers, side by side
	@pip install --quiet --editable '.[grade,test,site,weights,bench]' --constraint constraints.txt
	@pip install --quiet vlsift 2> /dev/null || echo "VLFeat does not build here: no row for it"
	@for peers in flops train shards sift codebooks grading; do python benchmarks/$$peers.py || exit; done

site: $(STAMP) ## the web site, in docs/_build/html, without a network
	@python docs/site/build.py

gpu: ## GPU tests, the whole queue of records, then the speed recipe, with the torch of PYTHON
	@$(PYTHON) -c "import sys, torch; sys.exit(not torch.cuda.is_available())" 2> /dev/null || { \
	  echo "$(PYTHON) finds no PyTorch with a CUDA device: name another, make PYTHON=... gpu"; \
	  exit 1; }
	@$(PYTHON) -c 'import pytest' || echo "no pytest here: the GPU tests are left out"
	@! $(PYTHON) -c 'import pytest' 2> /dev/null || $(PYTHON) -m pytest -q tests/gpu
	@$(PYTHON) -m course_lib.records
	@$(PYTHON) experiments/speed.py

constraints: ## pin the newest versions that fit (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.10 \
	  --quiet --no-header --no-annotate --output-file constraints.txt
	@sed -i '1i # The exact versions last tested, for every Python from 3.10 on. Made anew by `make constraints`.' constraints.txt
