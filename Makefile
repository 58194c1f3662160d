# Two commands do all on a fresh machine with Python 3.11 or later:
#   make demo   sets up, runs the embedded model and the baselines, shows the result
#   make test   sets up, runs the tests
#
# On Linux, PyPI's torch brings gigabytes of CUDA. A machine without a GPU can take the CPU build instead:
#   make demo TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"

PYTHON ?= python3
TORCH ?= torch==2.13.0
JOBS ?= auto
BIN := .venv/bin

.PHONY: demo test lint bare model clean

demo: .venv/demo-ready
	OMP_NUM_THREADS=1 $(BIN)/akb eval --model akb-tiny,random,first,longest --task akb-open --protocol akb-v1-cloze
	@echo
	OMP_NUM_THREADS=1 $(BIN)/akb eval --model akb-tiny,longest --task lab-facts --protocol akb-v1-cloze
	@echo
	$(BIN)/akb runs

test: .venv/test-ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --durations=20

lint: .venv/test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# A base install of the wheel, away from the checkout: no torch, no extras.
bare: .venv/ready
	rm -rf .bare && mkdir .bare
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir .bare .
	$(PYTHON) -m venv .bare/venv
	.bare/venv/bin/pip install --quiet .bare/akb-*.whl
	cd .bare && ! venv/bin/python -c "import torch" 2>/dev/null
	cd .bare && venv/bin/akb ls models > /dev/null
	cd .bare && venv/bin/akb validate
	cd .bare && venv/bin/akb eval --no-cache -m random -t phonetic -p akb-v1-loglik --out run
	cd .bare && ! venv/bin/akb eval --no-cache -m akb-tiny -t phonetic --out none 2> message.txt
	cat .bare/message.txt && grep -q 'pip install "akb\[hf\]"' .bare/message.txt
	rm -rf .bare

# Train the embedded model again, from nothing (see docs/design/lab.md).
model: .venv/test-ready
	$(BIN)/python -m akb.lab.train --out adapters/akb-tiny

clean:
	rm -rf .venv .bare build dist .mypy_cache .ruff_cache .pytest_cache

.venv/ready:
	@$(PYTHON) -c 'import sys; sys.exit("akb needs Python 3.11 or later: make demo PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	touch $@

.venv/torch-ready: .venv/ready
	$(BIN)/pip install --quiet $(TORCH)
	touch $@

.venv/demo-ready: .venv/torch-ready pyproject.toml
	$(BIN)/pip install --quiet --editable ".[hf]"
	touch $@

.venv/test-ready: .venv/torch-ready pyproject.toml
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@
