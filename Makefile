# Everything the suite does, one target each. `make` alone lists them.
PYTHON  ?= python3
MODEL   ?= tiny
APPLY   ?= $(MODEL)
ARGS    ?=
# What learning takes (learn, and the first half of table7), if not the same.
LEARN_ARGS ?= $(ARGS)
CONFIRM ?= no

MODELS := tiny sd15 sdxl sd3
# What is not for a model, and why: NOT_TARGET_MODEL, a line.
NOT_table2_sd3 := Table 2 rests on inversion by DDIM, and sd3 is a flow; it takes tiny, sd15 or sdxl
NOT_table8_sd3 := Table 8 rests on inversion by DDIM, and sd3 is a flow; it takes tiny, sd15 or sdxl
NOT_table9_sdxl := Table 9 needs an unconditional model beside it, which tiny and sd15 have
NOT_table9_sd3 := $(NOT_table9_sdxl)
NOT_theory_sd15 := the theory is measured with the bundled model alone
NOT_theory_sdxl := $(NOT_theory_sd15)
NOT_theory_sd3  := $(NOT_theory_sd15)
NOT_tiny_sd15 := this trains the bundled model alone
NOT_tiny_sdxl := $(NOT_tiny_sd15)
NOT_tiny_sd3  := $(NOT_tiny_sd15)
offered = $(if $(NOT_$@_$(MODEL)),$(error $@ is not for MODEL=$(MODEL): $(NOT_$@_$(MODEL))))

# What a model's tables take beside the model's own defaults.
PROMPTS_sd15 := prompts=coco
PROMPTS_sdxl := prompts=coco
PROMPTS_sd3  := prompts=coco
TABLE_tiny := metrics=tiny_open
TABLE_sd15 := $(PROMPTS_sd15)
TABLE_sdxl := $(PROMPTS_sdxl)
TABLE_sd3  := $(PROMPTS_sd3)
# The unconditional model beside it, for Table 9.
PIXELS_tiny := tiny_ddpm
PIXELS_sd15 := ddpm_bedroom scale=paper

BIN := .venv/bin
RUN := $(BIN)/python -m experiments.run
LEARN := $(BIN)/python -m experiments.learn

.DEFAULT_GOAL := help
.PHONY: help setup demo quick test faults walks verify lint tables table1 table2 table3 table4 table5 table6 table7 table8 table9 compute cno-presets learn theory report figures pictures dashboard weights calibrate bench bench-gpu tiny rehearsal clean distclean beyond rivals large tools comfyui docs

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'
	@echo "  MODEL=sd15 chooses the model, ARGS='key=value ...' changes any setting, ARGS=--help lists them"

with = $(if $(wildcard .venv/test),.venv/test,.venv/$1)
setup: $(call with,suite) ## make .venv with what the demo, the tables and all commands need
tools: .venv/test

# Where torch comes from: an index of its builds, or nothing for the package index, which on Linux has
# the one for NVIDIA. Without such a GPU it is the one for the processor, a fifth as large.
TORCH ?= $(if $(filter Linux,$(shell uname -s)),$(if $(shell command -v nvidia-smi),,https://download.pytorch.org/whl/cpu))
UV := $(shell command -v uv)
INSTALL := $(if $(UV),$(UV) pip install --python $(BIN)/python,$(BIN)/python -m pip install --disable-pip-version-check) -c constraints.txt
TORCH_FIRST = PIP_RETRIES=1 UV_HTTP_RETRIES=1 $(INSTALL) --no-deps --index-url $(TORCH) torch torchvision
TAKES_suite := 2 GB of disk, or 7 GB if torch comes with CUDA; minutes, most of them the network's
TAKES_test := 3 GB of disk, or 7.5 GB if torch comes with CUDA; minutes, most of them the network's
TAKES_docs := 1 GB of disk, or 6 GB if torch comes with CUDA; minutes, most of them the network's

.venv/suite .venv/test .venv/docs: .venv/%: pyproject.toml constraints.txt
	@echo "Installing $* into .venv: $(TAKES_$*). make TORCH= takes torch from the package index."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed; set PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -z "$(TORCH)" || $(BIN)/python -c 'import torch' 2>/dev/null || $(TORCH_FIRST) || echo "$(TORCH) is not reached, or has no build for this Python: torch comes from the package index"
	$(INSTALL) --editable '.[$*]'
	@touch $@

demo: setup ## iid against coupled galleries: numbers and pictures
	$(RUN) experiment=demo model=$(MODEL) $(PROMPTS_$(MODEL)) $(ARGS)

# Doctests are left to `test`: with them pytest takes one conftest.py for another.
quick: tools ## laws, references, architecture, and every configuration: a minute
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto -o addopts=--strict-markers tests/coupling tests/metrics/test_diversity.py tests/metrics/test_golden.py tests/test_architecture.py tests/experiments/test_configs.py $(ARGS)

test: tools ## the everyday tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist worksteal -m "not slow and not faults and not walks" $(ARGS)

faults: tools ## everything that may go wrong: killed, hung, full, torn, forged; about five minutes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile -m faults tests/faults $(ARGS)

walks: tools ## commands from end to end, with stand-ins of the paper's models, too; committed pages
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile -m "walks and not slow" $(ARGS)

verify: setup ## hash every image again; ARGS=--repair sets aside what is damaged
	$(BIN)/python -m experiments.verify $(ARGS)

lint: tools ## style and types of the code
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

TABLES := table1 table2 table3 table4 table5 table6 table7 table8 table9 compute cno-presets beyond rivals large learn
SKIPPED := $(foreach table,$(TABLES),$(if $(NOT_$(table)_$(MODEL)),$(table)))
$(if $(filter tables,$(MAKECMDGOALS)),$(foreach table,$(SKIPPED),$(info $(table) is skipped: $(NOT_$(table)_$(MODEL)))))

tables: $(filter-out $(SKIPPED),$(TABLES)) ## every table of MODEL

table1: setup ## Table 1: diverse galleries, without and with noise optimisation
	$(RUN) experiment=table1 model=$(MODEL) $(TABLE_$(MODEL)) $(ARGS)

table2: setup ## Table 2: new backgrounds for a given object
	$(offered)
	$(RUN) experiment=table2 model=$(MODEL) $(ARGS)

# As one of `tables` it has no settings, whatever ARGS are for the others.
table3: setup ## Table 3: settings of noise optimisation, from the configurations
	$(BIN)/python -m experiments.table3 $(if $(filter table3,$(MAKECMDGOALS)),$(ARGS))

table4: setup ## Table 4: what a gallery costs
	$(RUN) experiment=table4 model=$(MODEL) $(PROMPTS_$(MODEL)) $(ARGS)

table5: setup ## Table 5: gallery sizes
	$(RUN) experiment=table5 model=$(MODEL) $(TABLE_$(MODEL)) $(ARGS)

table6: setup ## Table 6: correlation strengths
	$(RUN) experiment=table6 model=$(MODEL) $(TABLE_$(MODEL)) $(ARGS)

compute: setup ## diversity against network passes: noise optimisation, previews, best of more
	$(RUN) experiment=compute model=$(MODEL) $(TABLE_$(MODEL)) $(ARGS)

cno-presets: setup ## the paper's form of noise optimisation against its authors' release
	$(RUN) experiment=cno_presets model=$(MODEL) $(TABLE_$(MODEL)) $(ARGS)

beyond: setup ## early spread, which acts during sampling, against the paper's methods
	$(RUN) experiment=beyond model=$(MODEL) $(TABLE_$(MODEL)) $(ARGS)

rivals: setup ## every method that acts during sampling, at several strengths
	$(RUN) experiment=rivals model=$(MODEL) $(TABLE_$(MODEL)) $(ARGS)

large: setup ## galleries of 8, 16 and 32
	$(RUN) experiment=large model=$(MODEL) $(subst tiny_open,tiny_coverage,$(TABLE_$(MODEL))) $(ARGS)

table7: setup ## Table 7: a brightness split, learned; APPLY='sd15 sdxl' applies it to other models
	$(LEARN) study=brightness model=$(MODEL) $(PROMPTS_$(MODEL)) $(LEARN_ARGS)
	$(foreach model,$(APPLY),$(RUN) experiment=table7 model=$(model) learned_on=$(MODEL) $(PROMPTS_$(model)) $(ARGS) &&) true

table8: setup ## Table 8: steps of refinement of the object
	$(offered)
	$(RUN) experiment=table8 model=$(MODEL) $(ARGS)

table9: setup ## Table 9: new backgrounds from the unconditional model beside MODEL, tiny or sd15
	$(offered)
	$(RUN) experiment=table9 model=$(PIXELS_$(MODEL)) $(ARGS)

learn: setup ## does a coupling that is learned for diversity become the repulsive one?
	$(LEARN) study=diversity model=$(MODEL) $(PROMPTS_$(MODEL)) $(LEARN_ARGS)

theory: setup ## the paper's statements, checked by measurement
	$(offered)
	$(BIN)/python scripts/theory.py --scores results/table1/tiny-scores.csv --out results/theory $(ARGS)

report: setup ## the book of all tables, one page each: results/index.html
	$(BIN)/python -m experiments.report $(ARGS)

figures: setup ## draw the figures of all tables again, without generating anything
	$(BIN)/python -m experiments.redraw $(ARGS)

pictures: tools ## README's pictures, of the bundled model and of the page of make demo
	$(BIN)/python scripts/pictures.py

dashboard: tools ## the view of all runs on Weights & Biases: ARGS='--entity NAME'
	$(BIN)/python scripts/dashboard.py $(ARGS)

weights: setup ## fetch the metrics' networks, or list them: ARGS=--list
	$(BIN)/python scripts/fetch_weights.py $(ARGS)

calibrate: tools ## our metrics beside their reference values
	$(BIN)/python scripts/calibrate.py $(ARGS)

bench: setup ## speed against diffusers' own loop, with the same pictures; idle machine, minutes
	$(BIN)/python -m scripts.bench --model $(MODEL) $(ARGS)

bench-gpu: setup ## the same for SD1.5, SDXL and SD3 of published size with random weights; 12 minutes of a GPU
	for model in sd15 sdxl sd3; do $(BIN)/python -m scripts.bench --model $$model --random --budget 220 --galleries 8 --rounds 2 $(ARGS); done

tiny: setup ## train the bundled model anew and measure it
	$(offered)
	$(BIN)/python scripts/tiny/train.py --work outputs/train_tiny --out experiments/models/tiny $(ARGS)
	$(BIN)/python scripts/tiny/assess.py --model experiments/models/tiny

rehearsal: tools ## walk every target with every model, on small stand-ins from a hub of its own
	$(BIN)/python -m scripts.rehearsal $(ARGS)

PACK = $(COMFYUI)/custom_nodes/couple-to-control

comfyui: ## install the ComfyUI nodes, or again: COMFYUI=its folder
	@test -d "$(COMFYUI)/custom_nodes" || { echo "error: COMFYUI=$(COMFYUI) has no folder custom_nodes; name ComfyUI's own folder" >&2; exit 2; }
	rm -rf "$(PACK)" && cp -r comfyui "$(PACK)" && cp -r coupling LICENSE "$(PACK)"

docs: $(call with,docs) ## the documentation as a site: outputs/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)

clean: ## remove the environment and caches; galleries stay
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

distclean: ## remove outputs, too, with all galleries: CONFIRM=yes
	$(if $(filter yes,$(CONFIRM)),,$(error This removes outputs with $(shell find outputs -name '*.png' 2>/dev/null | wc -l) images, and what clean removes; CONFIRM=yes does so))
	rm -rf outputs
	$(MAKE) clean
