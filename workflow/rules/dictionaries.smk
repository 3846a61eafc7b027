# 4 · dictionaries
# needs   results/decoders/{cohort}/ and the tensors it was trained on
# makes   results/dictionaries/{cohort}/{hook}/   weights, unit activations, cost of the insertion
#         results/dictionaries/{cohort}/{hook}/comparison/   of architectures and baselines, on demand


rule train_dictionary:
    input:
        decoder=DECODER,
        tensors=cohort_tensors,
    output:
        dictionary="results/dictionaries/{cohort}/{hook}/dictionary.json",
        weights=expand(
            "results/dictionaries/{{cohort}}/{{hook}}/{architecture}-{run}.safetensors",
            architecture=config["dictionaries"]["architecture"],
            run=RUNS,
        ),
        activations=expand(
            "results/dictionaries/{{cohort}}/{{hook}}/activations-{run}.npz", run=RUNS
        ),
        dictionaries="results/dictionaries/{cohort}/{hook}/dictionaries.csv",
        sessions="results/dictionaries/{cohort}/{hook}/dictionary_sessions.csv",
        insertion="results/dictionaries/{cohort}/{hook}/insertion.csv",
    log:
        "results/logs/train_dictionary/{cohort}-{hook}.log",
    benchmark:
        "results/benchmarks/train_dictionary/{cohort}-{hook}.tsv"
    priority: 5
    conda:
        "../../envs/dictionaries.yaml"
    threads: config["threads"]["dictionaries"]
    resources:
        mem_mb=cohort_memory,
        runtime=cohort_minutes,
        gpu=gpus_of("dictionaries"),
    params:
        code=code_of("train_dictionary"),
        options=as_json(
            {key: value for key, value in config["dictionaries"].items() if key != "compare"}
        ),
        threads=config["threads"]["dictionaries"],
    shell:
        'python "$SCRIPTS/train_dictionary.py" --decoder results/decoders/{wildcards.cohort:q}'
        " --tensors {input.tensors:q} --out results/dictionaries/{wildcards.cohort:q}/{wildcards.hook}"
        " --cache results/.cache/dictionaries/{wildcards.cohort:q}"
        " --hook {wildcards.hook} --options {params.options:q} --threads {params.threads} 2>&1 | tee {log:q}"


# What later stages open of it, with and without the dictionaries themselves.
ACTIVATIONS = [rules.train_dictionary.output.dictionary, *rules.train_dictionary.output.activations]
DICTIONARY = [*ACTIVATIONS, *rules.train_dictionary.output.weights]


# Not made by default: snakemake comparisons.
rule compare_dictionaries:
    input:
        decoder=DECODER,
        tensors=cohort_tensors,
    output:
        comparison="results/dictionaries/{cohort}/{hook}/comparison/comparison.csv",
        insertion="results/dictionaries/{cohort}/{hook}/comparison/insertion.csv",
        point="results/dictionaries/{cohort}/{hook}/comparison/operating_point.json",
    log:
        "results/logs/compare_dictionaries/{cohort}-{hook}.log",
    benchmark:
        "results/benchmarks/compare_dictionaries/{cohort}-{hook}.tsv"
    conda:
        "../../envs/dictionaries.yaml"
    threads: config["threads"]["dictionaries"]
    resources:
        mem_mb=cohort_memory,
        runtime=cohort_minutes,
        gpu=gpus_of("dictionaries"),
    params:
        code=code_of("compare_dictionaries"),
        options=as_json(
            {key: value for key, value in config["dictionaries"].items() if key != "fine_tune"}
        ),
        threads=config["threads"]["dictionaries"],
    shell:
        'python "$SCRIPTS/compare_dictionaries.py" --decoder results/decoders/{wildcards.cohort:q}'
        " --tensors {input.tensors:q}"
        " --out results/dictionaries/{wildcards.cohort:q}/{wildcards.hook}/comparison"
        " --cache results/.cache/dictionaries/{wildcards.cohort:q}"
        " --hook {wildcards.hook} --options {params.options:q} --threads {params.threads} 2>&1 | tee {log:q}"


rule dictionaries:
    input:
        each("results/dictionaries/{cohort}/{hook}/dictionary.json", cohort=COHORTS, hook=HOOK),
