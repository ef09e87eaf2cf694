# Each target does what is missing first, and nothing twice.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
# An environment with these very packages is used if it is active, say that of the clone in a project made by its `init`.
VENV := $(shell cmp --silent requirements.lock "$${VIRTUAL_ENV:-}/.complete" && echo "$$VIRTUAL_ENV" || echo "$(CURDIR)/.venv")
export PATH := $(VENV)/bin:$(PATH)
export PYTHONPATH := $(CURDIR)
export HF_HUB_DISABLE_TELEMETRY := 1
export GX_ANALYTICS_ENABLED := false
# Overrides a setting of the shell: a stage is a process of its own, and without the compiled modules that Python keeps, each
# compiles the project again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup repro run up down workers results lock clean

help:  ## show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.venv/.complete: requirements.lock
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}"'
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@echo "Installing the $$(grep --count == $<) packages of $< into .venv, which takes some minutes"
	@# PEP 517, since the pip of Debian 12 would build what has no wheel by setuptools' own downloads, which leave out their needs
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --use-pep517 --requirement requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	cp $< $@

setup: $(if $(findstring =$(CURDIR)/.venv=,=$(VENV)=),.venv/.complete)  ## create .venv, install the locked dependencies and `transferline`

# Of one task; a project that exports its models exports this one too, or it would go on answering by the model before.
STAGES = evaluate inspect $(if $(shell grep --extended-regexp '^  export:' dvc.yaml),export)
TARGETS = $(foreach task,$(TASK),$(STAGES:%=%@$(task)))

repro: setup  ## show the plan, run what is affected, print the results and where the report is (TASK=NAME: one task)
ifdef TASK
	python -m pipeline plan $(TARGETS) || test $$? -eq 1
	dvc repro $(TARGETS)
	@cat $(TASK:%=data/metrics/%.json)
	@echo "data/report.html is as it was before: \`make repro\` renews it, with all tasks."
else
	python -m pipeline plan || test $$? -eq 1
	dvc repro
	@$(MAKE) --no-print-directory results
endif

run: setup  ## the same under Prefect: stages in parallel, cancellable, shown in its pages
	python -m pipeline run
	@$(MAKE) --no-print-directory results

up: setup  ## start Prefect's server, schedules and a worker on this machine
	python -m pipeline up

down: setup  ## stop them
	python -m pipeline down

WORKERS := 2
workers: setup  ## start WORKERS=2 workers on this machine until Ctrl-C, for `python -m pipeline run --on tcp://127.0.0.1:8786`
	dask scheduler --host 127.0.0.1 --port 8786 --no-dashboard & trap "kill $$! 2> /dev/null || true" EXIT; \
	dask worker tcp://127.0.0.1:8786 --nworkers $(WORKERS) --nthreads 1 --no-dashboard

results: setup  ## print the results of the last run
	@python -m pipeline results

lock: setup  ## resolve pyproject.toml again into requirements.lock
	pip install --quiet --disable-pip-version-check pip-tools
	pip-compile pyproject.toml --extra dev --extra docs --extra export --extra serve --extra machines --extra search --output-file requirements.lock --upgrade --strip-extras --allow-unsafe \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet
	sed -i -E 's/^(torch==[0-9.]+)\+[a-z0-9]+/\1/' requirements.lock

clean:  ## remove the environment and the caches of the tools; data and DVC's cache stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage *.egg-info

# For those who change the pipeline itself: a project made by `init` does not hold what stands below this line.
.PHONY: study gallery test test-avx2 check docs readme format \
  soak soak-places bench bench-finetune bench-pretrain bench-pipeline bench-tokenize bench-duplicates bench-languages bench-labels \
  bench-diff bench-flow bench-places bench-predict bench-answer bench-search bench-kinds bench-scale

# A file stays with one worker: its tests may share a clone or a server. The order is that of tests/conftest.py, the long
# ones first. One worker more than cores, since many wait.
PARALLEL := --numprocesses=$(shell expr $$(getconf _NPROCESSORS_ONLN) + 1) --dist=loadfile --no-loadscope-reorder

PROFILE := study
study: setup  ## what pretraining brings, in .study: ten minutes; PROFILE=full is the full study, an hour and a half (resumes)
	python -m benchmarks.study profiles/$(PROFILE) $(OPTIONS)

gallery: setup  ## a task of each kind beside its rivals, in .gallery, as docs/gallery.md (half an hour; resumes)
	python -m benchmarks.gallery

test: setup  ## run the tests on all cores (OPTIONS="--cov --durations=20" measures coverage and lists the slowest)
	pytest $(PARALLEL) $(OPTIONS)

check: setup  ## lint, types and the contracts of imports
	ruff check .
	ruff format --check .
	mypy
	lint-imports

test-avx2: setup  ## run the tests as on a processor without AVX-512 and bf16
	ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 pytest $(PARALLEL) $(OPTIONS)

soak: setup  ## strike every stage by signals at random moments, 520 times (about an hour)
	python -m benchmarks.signals

soak-places: setup  ## kill what runs on a Dask cluster, take its remote away and fill its disk at random, for ten minutes (root: for the disk)
	python -m benchmarks.places_soak

# Each prints its table, then one JSON object.
bench: bench-finetune bench-pretrain bench-pipeline bench-tokenize bench-duplicates bench-languages bench-labels bench-diff bench-flow bench-places bench-predict bench-answer bench-search bench-scale  ## all benchmarks below, but bench-kinds

bench-finetune: setup  ## fine-tuning beside the tutorials' loop and Trainer (half an hour)
	dvc repro --quiet tokenize@reviews
	python -m benchmarks.finetune

bench-pretrain: setup  ## pretraining: Trainer as run_mlm sets it up, tuned, and ours
	dvc repro --quiet validate fetch@minilm
	python -m benchmarks.pretrain

bench-pipeline: setup  ## the whole job from clean, stage by stage, and its no-op
	python -m benchmarks.pipeline

bench-tokenize: setup  ## throughput and memory of tokenisation at 1 M texts
	dvc repro --quiet ingest@reviews fetch@minilm
	python -m benchmarks.tokenize

bench-duplicates: setup  ## near duplicates at 1,000 to 100,000 rows, plain, templated and narrow
	python -m benchmarks.duplicates

bench-scale: setup  ## stages on 10,000 and 100,000 rows: time, memory and what a further row costs (COUNTS="validate 1000000": that alone)
	dvc repro --quiet ingest@reviews fetch@minilm
	python -m benchmarks.scale $(COUNTS)

bench-languages: setup  ## TF-IDF on words alone beside the rival of `baseline`, in Chinese, Hindi and German
	python -m benchmarks.languages

bench-labels: setup  ## planted label errors: how many are found, and what correcting them is worth
	dvc repro --quiet extract@questions extract@spam
	python -m benchmarks.labels

bench-search: setup  ## a search with other workers and kills, and its sampler against others (PARTS="workers optuna samplers" is ten minutes, all an hour)
	dvc repro --quiet tokenize@questions tokenize@reviews
	python -m benchmarks.search $(PARTS)

bench-diff: setup  ## the metric diff on 1,000 and 100,000 test rows
	python -m benchmarks.diff

bench-flow: setup  ## the flow against bare DVC
	python -m benchmarks.flow

bench-places: setup  ## stages on two Dask workers beside as many here, and what a stage costs more
	python -m benchmarks.places

bench-predict: setup  ## prediction beside transformers.pipeline and ONNX Runtime as its tutorials use it (ten minutes)
	dvc repro --quiet finetune@reviews calibrate@spam calibrate@questions calibrate@reviews
	python -m benchmarks.predict

bench-answer: setup  ## the server of a bundle under load, overload and over many requests (ten minutes)
	dvc repro --quiet finetune@reviews calibrate@reviews
	python -m benchmarks.answer

bench-kinds: setup  ## tags and pairs beside a tuned Trainer; first lay the profile gallery over: python -m pipeline overlay profiles/gallery
	dvc repro --quiet tokenize@parts-of-speech tokenize@replies
	python -m benchmarks.tags
	python -m benchmarks.finetune replies

docs: setup  ## make the documentation a site, in site/, with its links checked
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
	@echo "The documentation: $(CURDIR)/site/index.html (with search: mkdocs serve)"

readme: setup  ## rewrite the README's table, the picture of the stages and docs/example.html
	python -m pipeline readme
	cp data/report.html docs/example.html

format: setup  ## rewrite the code in the house style
	ruff check --fix .
	ruff format .
