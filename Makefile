# make demo        the whole path on a simulated cohort (config/config.yaml)
# make test        form, library, scripts, workflow; make test-all adds what takes minutes
# make env-slurm   SLURM for the tests, from Debian's packages where root asks for it; where it is absent
#                  and cannot be installed, its tests are skipped and say so
# make bench       speed and memory beside peers, into results/tables/benchmarks.csv; BENCH names some
# make verify      hash sources, tensors, tables and figures again: what no longer matches the record?
# make env         the environment of both, in .venv
# make clean       delete environments and caches, never results

PYTHON ?= python3.11
CORES ?= 2
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONNOUSERSITE := 1

.DELETE_ON_ERROR:
.PHONY: demo test test-all lint format bench verify env env-allensdk env-conda env-slurm env-slurm-accounts env-torch_brain schema rulegraph clean

demo: $(VENV)/.ready
	snakemake --cores $(CORES)

test: lint env-allensdk env-conda env-slurm
	pytest -n $(CORES) --dist loadgroup -m "not slow"

test-all: lint env-allensdk env-conda env-slurm env-slurm-accounts env-torch_brain
	pytest -n $(CORES) --dist loadgroup

lint: $(VENV)/.ready
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow/rules
	snakemake --lint --directory $(VENV)/lint

format: $(VENV)/.ready
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow/rules

# BENCH="decoder_speed ..." runs those alone; REAL_NWB_DIR names the folder of real sessions.
bench: env-torch_brain
	sh tests/peers/make_env.sh saelens
	sh tests/peers/make_env.sh sparsify
	sh tests/peers/make_env.sh overcomplete
	python tests/benchmarks/run_all.py --out results/tables/benchmarks.csv $(BENCH)

# RESULTS is where the results are, SOURCES where the NWB files are now, if they moved.
RESULTS ?= results
verify: $(VENV)/.ready
	PYTHONPATH=workflow python workflow/scripts/verify_results.py --results "$(RESULTS)" $(if $(SOURCES),--sources "$(SOURCES)")

# Written from the options of every stage.
schema: $(VENV)/.ready
	PYTHONPATH=workflow python workflow/schemas/write_config_schema.py

# The picture of the README.
rulegraph: $(VENV)/.ready
	snakemake --rulegraph mermaid-js --directory $(VENV)/lint | python docs/draw_rulegraph.py

env: $(VENV)/.ready

# allensdk needs a numpy that nothing else here can live with. Built once, by the peer tests' script.
env-allensdk: $(VENV)/.ready
	sh tests/peers/make_env.sh allensdk

# A stand-in for conda, where there is none.
env-conda: $(VENV)/.ready
	sh tests/conda/make_stand_in.sh

# The system's own packages: installed by root alone, for the tests alone.
env-slurm:
	sh tests/slurm/install.sh

env-slurm-accounts: env-slurm
	sh tests/slurm/install.sh accounts

# torch_brain 0.1.2, for the tests and benchmarks that stand beside it.
env-torch_brain: $(VENV)/.ready
	sh tests/peers/make_env.sh torch_brain

# torch stands first and alone: where only PyPI is at hand it comes from there, and a pip that is
# configured for a mirror or a CPU index takes it from that.
$(VENV)/.ready: envs/requirements.txt envs/requirements-dev.txt envs/requirements-slurm.txt envs/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet "$$(grep '^torch==' envs/requirements.txt)"
	$(VENV)/bin/python -m pip install --disable-pip-version-check --quiet -c envs/constraints.txt -r envs/requirements.txt -r envs/requirements-dev.txt -r envs/requirements-slurm.txt
	mkdir -p $(VENV)/lint
	touch $@

clean:
	rm -rf $(VENV) .venv-* .pytest_cache .ruff_cache
	find workflow tests -name __pycache__ -type d -prune -exec rm -rf {} +
