# Everything here does its own set-up: each target that needs Python makes its own virtual environment first.
PYTHON ?= python3
# The CPU build on most machines; set TORCH=torch to take whatever your index serves.
TORCH ?= torch==2.13.0
SEGLEARN := seglearn==1.2.5
DEMO_VENV := .venv-demo
VENV := .venv
# tflite-runtime 2.14 needs NumPy 1 and Python 3.11, so it has an environment of its own.
TFLITE_VENV := .venv-tflite
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test test-slow soak lint format accuracy demo-bundle bench bench-check readme clean

help:
	@echo "make demo         live recognition of a real recording of a person the model never saw"
	@echo "make test         the whole suite, in its own environment"
	@echo "make test-slow    emulators, clean installs, kills"
	@echo "make soak         fuzz the decoders for ten minutes each; capture, faults and 50 kills for ten minutes, with rows"
	@echo "make lint         ruff and mypy --strict"
	@echo "make accuracy     train and measure the accuracy table (hours), ACCURACY_ARGS=\"--data DIR\"; make readme shows it"
	@echo "make bench        measure speed, start-up, memory, parsing and instruction counts; put them into the pages"
	@echo "make bench-check  what got worse by more than a tenth since the committed rows"
	@echo "make demo-bundle  train the model that make demo runs"

$(DEMO_VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/python $(PIP_INSTALL) --editable .
	@# seglearn ships the watch recordings; only its data file is read, so its own dependencies stay out.
	-$(DEMO_VENV)/bin/python $(PIP_INSTALL) --no-deps $(SEGLEARN)
	touch $@

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python $(PIP_INSTALL) "$(TORCH)"
	$(VENV)/bin/python $(PIP_INSTALL) --editable ".[dev]"
	-$(VENV)/bin/python $(PIP_INSTALL) --no-deps $(SEGLEARN)
	touch $@

$(TFLITE_VENV)/ready:
	-$(PYTHON) -m venv $(TFLITE_VENV) && $(TFLITE_VENV)/bin/python $(PIP_INSTALL) tflite-runtime==2.14.0 "numpy<2" && touch $@

demo: $(DEMO_VENV)/ready
	$(DEMO_VENV)/bin/edgehar demo $(DEMO_ARGS)

# Each file of tests stays with one of WORKERS processes.
WORKERS ?= 2
SIDE_BY_SIDE := -n $(WORKERS) --dist loadfile

test: $(VENV)/ready
	$(VENV)/bin/python -m pytest -m "not slow" $(SIDE_BY_SIDE) $(PYTEST_ARGS)

test-slow: $(VENV)/ready $(TFLITE_VENV)/ready
	EDGEHAR_TFLITE_PYTHON="$$(test -f $(TFLITE_VENV)/ready && echo "$$PWD/$(TFLITE_VENV)/bin/python")" \
	    $(VENV)/bin/python -m pytest -m "slow and not alone" $(SIDE_BY_SIDE) $(PYTEST_ARGS)
	$(VENV)/bin/python -m pytest -m alone $(PYTEST_ARGS)

soak: $(VENV)/ready
	EDGEHAR_FUZZ_S=600 $(VENV)/bin/python -m pytest -m slow tests/fuzz tests/firmware/test_core_fuzz.py $(PYTEST_ARGS)
	$(VENV)/bin/python benchmarks/link.py
	$(VENV)/bin/python benchmarks/capture.py

lint: $(VENV)/ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(VENV)/ready
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

demo-bundle: $(VENV)/ready
	$(VENV)/bin/python benchmarks/demo_bundle.py

accuracy: $(VENV)/ready
	$(VENV)/bin/python benchmarks/accuracy.py --all $(ACCURACY_ARGS)

# A spiking model's cost is that of its spikes: L2MU=BUNDLE, a trained one, adds its rows. Parsing needs real captures:
# DATA=DIR that holds csi/raw, and PEERS=PYTHON that has CSIKit and csiread.
bench: $(VENV)/ready
	$(VENV)/bin/python benchmarks/speed.py $(if $(L2MU),--l2mu $(L2MU))
	$(VENV)/bin/python benchmarks/conv_floor.py
	$(VENV)/bin/python benchmarks/fastgrnn_floor.py
	$(VENV)/bin/python benchmarks/startup.py
	$(VENV)/bin/python benchmarks/instructions.py
	$(if $(DATA),$(VENV)/bin/python benchmarks/parse.py --data $(DATA) $(if $(PEERS),--peers $(PEERS)))
	$(VENV)/bin/python benchmarks/readme.py

bench-check: $(VENV)/ready
	$(VENV)/bin/python benchmarks/check.py

readme: $(VENV)/ready
	$(VENV)/bin/python benchmarks/readme.py

clean:
	rm -rf $(VENV) $(DEMO_VENV) $(TFLITE_VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
