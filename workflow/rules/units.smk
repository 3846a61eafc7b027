# 5 · units
# needs   results/dictionaries/{cohort}/{hook}/, unit activations on the selection trials
# makes   results/units/{cohort}/{hook}/    tuning and selectivity of every unit that is alive
#         results/units/ground_truth.csv    the claims scored against the simulator's truth
#         results/units/relabelled.csv      false genotype claims on mice with exchanged Cre lines

# The genotype claim is made over all mice; without two lines there is nothing to relabel.
GENOTYPE_COHORTS = [name for name, cohort in COHORTS.items() if cohort.level == "all"]
HELD_OUT_COHORTS = [name for name, cohort in COHORTS.items() if cohort.level == "heldout"]


rule measure_units:
    input:
        rules.train_dictionary.output,
    output:
        units="results/units/{cohort}/{hook}/units.csv",
        tuning="results/units/{cohort}/{hook}/tuning.csv",
        notes="results/units/{cohort}/{hook}/units.json",
    log:
        "results/logs/measure_units/{cohort}-{hook}.log",
    benchmark:
        "results/benchmarks/measure_units/{cohort}-{hook}.tsv"
    conda:
        "../../envs/units.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        code=code_of("measure_units"),
        options=as_json(config["units"]),
        level=level_of,
    shell:
        'python "$SCRIPTS/measure_units.py" --cohort {wildcards.cohort:q} --level {params.level:q}'
        " --dictionary results/dictionaries/{wildcards.cohort:q}/{wildcards.hook}"
        " --out results/units/{wildcards.cohort:q}/{wildcards.hook} --options {params.options:q}"
        " 2>&1 | tee {log:q}"


rule units:
    input:
        expand("results/units/{cohort}/{hook}/units.csv", cohort=COHORTS, hook=HOOK),
