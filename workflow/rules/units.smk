# 5 · units
# needs   results/dictionaries/{cohort}/{hook}/, unit activations on the selection trials
# makes   results/units/{cohort}/{hook}/    tuning and selectivity of every unit that is alive
#         results/units/{cohort}/{hook}/probes.csv    of every layer, on demand
#         results/units/{hook}/             simulated: claims scored against the truth;
#                                           false genotype claims on relabelled mice


rule measure_units:
    input:
        ACTIVATIONS,
    output:
        units="results/units/{cohort}/{hook}/units.csv",
        tuning="results/units/{cohort}/{hook}/tuning.csv",
        notes="results/units/{cohort}/{hook}/units.json",
    log:
        "results/logs/measure_units/{cohort}-{hook}.log",
    benchmark:
        "results/benchmarks/measure_units/{cohort}-{hook}.tsv"
    priority: 6
    conda:
        "../../envs/units.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(60),
    params:
        code=code_of("measure_units"),
        options=as_json(config["units"]),
        level=level_of,
    shell:
        'python "$SCRIPTS/measure_units.py" --cohort {wildcards.cohort:q} --level {params.level:q}'
        " --dictionary results/dictionaries/{wildcards.cohort:q}/{wildcards.hook}"
        " --out results/units/{wildcards.cohort:q}/{wildcards.hook} --options {params.options:q}"
        " 2>&1 | tee {log:q}"


rule score_ground_truth:
    input:
        each(rules.measure_units.output.units, cohort=SCORED, allow_missing=True),
        each(DICTIONARY, cohort=SCORED, allow_missing=True),
        each(DECODER, cohort=SCORED),
    output:
        scores="results/units/{hook}/ground_truth.csv",
        truth="results/units/{hook}/truth.csv",
    log:
        "results/logs/score_ground_truth-{hook}.log",
    benchmark:
        "results/benchmarks/score_ground_truth-{hook}.tsv"
    priority: 7
    conda:
        "../../envs/interventions.yaml"
    threads: config["threads"]["units"]
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(120),
    params:
        code=code_of("score_ground_truth"),
        options=as_json(config["units"]),
        simulate=as_json(config["sessions"]["simulate"]),
        units=expand("results/units/{cohort}/{hook}", cohort=SCORED, allow_missing=True),
        dictionaries=expand(
            "results/dictionaries/{cohort}/{hook}", cohort=SCORED, allow_missing=True
        ),
        decoders=expand("results/decoders/{cohort}", cohort=SCORED),
        threads=config["threads"]["units"],
    shell:
        'python "$SCRIPTS/score_ground_truth.py" --units {params.units:q}'
        " --dictionaries {params.dictionaries:q} --decoders {params.decoders:q}"
        " --simulate {params.simulate:q} --options {params.options:q} --threads {params.threads}"
        " --out {output.scores:q} --truth {output.truth:q} 2>&1 | tee {log:q}"


rule relabel_mice:
    input:
        expand(ACTIVATIONS, cohort="all", allow_missing=True),
    output:
        "results/units/{hook}/relabelled.csv",
    log:
        "results/logs/relabel_mice-{hook}.log",
    benchmark:
        "results/benchmarks/relabel_mice-{hook}.tsv"
    conda:
        "../../envs/units.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(60),
    params:
        code=code_of("relabel_mice"),
        options=as_json(config["units"]),
    shell:
        'python "$SCRIPTS/relabel_mice.py" --dictionary results/dictionaries/all/{wildcards.hook}'
        " --out {output:q} --options {params.options:q} 2>&1 | tee {log:q}"


# Not made by default: snakemake readability.
rule probe_layers:
    input:
        DICTIONARY,
        decoder=DECODER,
        tensors=cohort_tensors,
    output:
        "results/units/{cohort}/{hook}/probes.csv",
    log:
        "results/logs/probe_layers/{cohort}-{hook}.log",
    benchmark:
        "results/benchmarks/probe_layers/{cohort}-{hook}.tsv"
    conda:
        "../../envs/interventions.yaml"
    threads: config["threads"]["units"]
    resources:
        mem_mb=cohort_memory,
        runtime=by_attempt(120),
    params:
        code=code_of("probe_layers"),
        level=level_of,
        seed=config["units"]["seed"],
        threads=config["threads"]["units"],
    shell:
        'python "$SCRIPTS/probe_layers.py" --decoder results/decoders/{wildcards.cohort:q}'
        " --dictionary results/dictionaries/{wildcards.cohort:q}/{wildcards.hook}"
        " --tensors {input.tensors:q} --hook {wildcards.hook} --level {params.level:q}"
        " --seed {params.seed} --threads {params.threads} --out {output:q} 2>&1 | tee {log:q}"


rule units:
    input:
        each("results/units/{cohort}/{hook}/units.csv", cohort=COHORTS, hook=HOOK),
        GROUND_TRUTH,
