# 6 · interventions
# needs   the decoder, the dictionary, the units and the tensors of a cohort; test trials only
# makes   results/interventions/{cohort}/{hook}/      ablations, their matched controls, confusions,
#                                                     steering, patching between trials; heads,
#                                                     latents, cells and components of other bases
#                                                     instead of units
#         results/interventions/all-without/{hook}/   the same for genotype, over held-out mice, and
#                                                     what identity alone would tell of it
#         results/interventions/{cohort}/{hook}/explained/   sentences of units, the decoder on
#                                                     sentences alone, units' cells, deletions


rule ablate_units:
    input:
        decoder=DECODER,
        dictionary=DICTIONARY,
        units="results/units/{cohort}/{hook}/units.csv",
        tensors=cohort_tensors,
    output:
        ablation="results/interventions/{cohort}/{hook}/ablation.csv",
        confusion="results/interventions/{cohort}/{hook}/confusion.csv",
        controls="results/interventions/{cohort}/{hook}/controls.csv",
        steering="results/interventions/{cohort}/{hook}/steering.csv",
        patching="results/interventions/{cohort}/{hook}/patching.csv",
        mediators="results/interventions/{cohort}/{hook}/mediators.csv",
    log:
        "results/logs/ablate_units/{cohort}-{hook}.log",
    benchmark:
        "results/benchmarks/ablate_units/{cohort}-{hook}.tsv"
    conda:
        "../../envs/interventions.yaml"
    threads: config["threads"]["interventions"]
    resources:
        mem_mb=cohort_memory,
        runtime=cohort_minutes,
    params:
        code=code_of("ablate_units"),
        options=ablation_options,
        unit_options=as_json(config["units"]),
        threads=config["threads"]["interventions"],
    shell:
        'python "$SCRIPTS/ablate_units.py" --decoder results/decoders/{wildcards.cohort:q}'
        " --dictionary results/dictionaries/{wildcards.cohort:q}/{wildcards.hook}"
        " --units {input.units:q} --tensors {input.tensors:q}"
        " --out results/interventions/{wildcards.cohort:q}/{wildcards.hook}"
        " --options {params.options:q} --unit-options {params.unit_options:q}"
        " --threads {params.threads} 2>&1 | tee {log:q}"


rule ablate_genotype:
    input:
        decoders=each(DECODER, cohort=HELD_OUT),
        dictionaries=each(DICTIONARY, cohort=HELD_OUT, allow_missing=True),
        units=each("results/units/{cohort}/{hook}/units.csv", cohort=HELD_OUT, allow_missing=True),
        tensors=each("results/tensors/{session}.zarr", session=DECODED),
    output:
        ablation="results/interventions/all-without/{hook}/ablation.csv",
        confusion="results/interventions/all-without/{hook}/confusion.csv",
        controls="results/interventions/all-without/{hook}/controls.csv",
        genotype="results/interventions/all-without/{hook}/genotype.csv",
    log:
        "results/logs/ablate_genotype-{hook}.log",
    benchmark:
        "results/benchmarks/ablate_genotype-{hook}.tsv"
    priority: 7
    conda:
        "../../envs/interventions.yaml"
    threads: config["threads"]["interventions"]
    resources:
        mem_mb=by_attempt(memory_of(DECODED)),
        runtime=by_attempt(240),
    params:
        code=code_of("ablate_genotype"),
        options=as_json(config["interventions"]),
        decoders=expand("results/decoders/{cohort}", cohort=HELD_OUT),
        dictionaries=expand(
            "results/dictionaries/{cohort}/{hook}", cohort=HELD_OUT, allow_missing=True
        ),
        threads=config["threads"]["interventions"],
    shell:
        'python "$SCRIPTS/ablate_genotype.py" --decoders {params.decoders:q}'
        " --dictionaries {params.dictionaries:q} --units {input.units:q} --tensors {input.tensors:q}"
        " --out results/interventions/all-without/{wildcards.hook}"
        " --options {params.options:q} --threads {params.threads} 2>&1 | tee {log:q}"


rule explain_units:
    input:
        decoder=DECODER,
        dictionary=DICTIONARY,
        units="results/units/{cohort}/{hook}/units.csv",
        tuning="results/units/{cohort}/{hook}/tuning.csv",
        tensors=cohort_tensors,
    output:
        descriptions="results/interventions/{cohort}/{hook}/explained/descriptions.csv",
        rewriting="results/interventions/{cohort}/{hook}/explained/rewriting.csv",
        attribution="results/interventions/{cohort}/{hook}/explained/attribution.csv",
        check="results/interventions/{cohort}/{hook}/explained/attribution_check.csv",
        tuning="results/interventions/{cohort}/{hook}/explained/tuning.csv",
        notes="results/interventions/{cohort}/{hook}/explained/attribution.json",
    log:
        "results/logs/explain_units/{cohort}-{hook}.log",
    benchmark:
        "results/benchmarks/explain_units/{cohort}-{hook}.tsv"
    conda:
        "../../envs/interventions.yaml"
    threads: config["threads"]["interventions"]
    resources:
        mem_mb=cohort_memory,
        runtime=cohort_minutes,
    params:
        code=code_of("explain_units"),
        options=as_json(config["attribution"]),
        threads=config["threads"]["interventions"],
    shell:
        'python "$SCRIPTS/explain_units.py" --decoder results/decoders/{wildcards.cohort:q}'
        " --dictionary results/dictionaries/{wildcards.cohort:q}/{wildcards.hook}"
        " --units {input.units:q} --tuning {input.tuning:q} --tensors {input.tensors:q}"
        " --out results/interventions/{wildcards.cohort:q}/{wildcards.hook}/explained"
        " --options {params.options:q} --threads {params.threads} 2>&1 | tee {log:q}"


EVERY_ABLATION = each(
    "results/interventions/{cohort}/{hook}/ablation.csv", cohort=ABLATIONS, hook=HOOK
)


rule interventions:
    input:
        EVERY_ABLATION,
