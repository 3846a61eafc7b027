# 3 · decoders
# needs   results/tensors/{session}.zarr and its manifest, of each session of the cohort
# makes   results/decoders/{cohort}/                 weights of each seed and fold, predictions' scores
#         results/decoders/references/{session}.csv  logistic regression on the same trials

RUNS = expand(
    "seed{seed}-fold{fold}", seed=config["decoders"]["seeds"], fold=config["decoders"]["folds"]
)
DECODED = sorted({session for cohort in COHORTS.values() for session in cohort.sessions})


def tensors_of(sessions):
    return expand("results/tensors/{session}.zarr", session=sessions)


def manifests_of(sessions):
    return expand("results/tensors/{session}.json", session=sessions)


def body_tensors(wildcards):
    return tensors_of(COHORTS[wildcards.cohort].body)


def held_out_tensors(wildcards):
    return tensors_of(COHORTS[wildcards.cohort].held_out)


def cohort_tensors(wildcards):
    return tensors_of(COHORTS[wildcards.cohort].sessions)


def cohort_manifests(wildcards):
    return manifests_of(COHORTS[wildcards.cohort].sessions)


def level_of(wildcards):
    return COHORTS[wildcards.cohort].level


def cohort_memory(wildcards):
    """MB: the imports, and the sessions' dF/F twice."""
    sessions = COHORTS[wildcards.cohort].sessions
    return 2000 + sum(8 * CELLS_TIMES_FRAMES[session] for session in sessions) // 1_000_000


def cohort_minutes(wildcards):
    """Minutes: generous, about ten times what a laptop needs."""
    return 30 + 10 * len(COHORTS[wildcards.cohort].sessions) * len(RUNS)


rule train_decoder:
    input:
        body=body_tensors,
        held_out=held_out_tensors,
        manifests=cohort_manifests,
    output:
        decoder="results/decoders/{cohort}/decoder.json",
        weights=expand("results/decoders/{{cohort}}/{run}.safetensors", run=RUNS),
        decoding="results/decoders/{cohort}/decoding.csv",
        training="results/decoders/{cohort}/training.csv",
    log:
        "results/logs/train_decoder/{cohort}.log",
    benchmark:
        "results/benchmarks/train_decoder/{cohort}.tsv"
    conda:
        "../../envs/decoders.yaml"
    threads: config["threads"]["decoders"]
    resources:
        mem_mb=cohort_memory,
        runtime=cohort_minutes,
        gpu=decoder_device(),
    params:
        code=code_of("train_decoder"),
        options=as_json(config["decoders"]),
        level=level_of,
        threads=config["threads"]["decoders"],
    shell:
        'python "$SCRIPTS/train_decoder.py" --tensors {input.body:q} --held-out {input.held_out:q}'
        " --cohort {wildcards.cohort:q} --level {params.level:q} --out results/decoders/{wildcards.cohort:q}"
        " --options {params.options:q} --threads {params.threads} 2>&1 | tee {log:q}"


rule fit_reference:
    input:
        tensor="results/tensors/{session}.zarr",
        manifest="results/tensors/{session}.json",
    output:
        decoding="results/decoders/references/{session}.csv",
    log:
        "results/logs/fit_reference/{session}.log",
    benchmark:
        "results/benchmarks/fit_reference/{session}.tsv"
    conda:
        "../../envs/decoders.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_of("fit_reference"),
        options=as_json(config["decoders"]),
    shell:
        'python "$SCRIPTS/fit_reference.py" --tensor {input.tensor:q} --out {output.decoding:q}'
        " --options {params.options:q} 2>&1 | tee {log:q}"


rule decoders:
    input:
        expand("results/decoders/{cohort}/decoder.json", cohort=COHORTS),
        expand("results/decoders/references/{session}.csv", session=DECODED),
