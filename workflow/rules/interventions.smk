# 6 · interventions
# needs   the decoder, the dictionary, the units and the tensors of a cohort; test trials only
# makes   results/interventions/{cohort}/{hook}/   ablations, their matched controls, confusions


rule ablate_units:
    input:
        decoder=rules.train_decoder.output,
        dictionary=rules.train_dictionary.output,
        units="results/units/{cohort}/{hook}/units.csv",
        tensors=cohort_tensors,
        manifests=cohort_manifests,
    output:
        ablation="results/interventions/{cohort}/{hook}/ablation.csv",
        confusion="results/interventions/{cohort}/{hook}/confusion.csv",
        controls="results/interventions/{cohort}/{hook}/controls.csv",
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
        gpu=decoder_device(),
    params:
        code=code_of("ablate_units"),
        options=as_json(config["interventions"]),
        threads=config["threads"]["interventions"],
    shell:
        'python "$SCRIPTS/ablate_units.py" --decoder results/decoders/{wildcards.cohort:q}'
        " --dictionary results/dictionaries/{wildcards.cohort:q}/{wildcards.hook}"
        " --units {input.units:q} --tensors {input.tensors:q}"
        " --out results/interventions/{wildcards.cohort:q}/{wildcards.hook}"
        " --options {params.options:q} --threads {params.threads} 2>&1 | tee {log:q}"


rule interventions:
    input:
        expand("results/interventions/{cohort}/{hook}/ablation.csv", cohort=ABLATED, hook=HOOK),
