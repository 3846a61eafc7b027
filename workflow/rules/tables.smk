# 7 · figures: the tables that they are drawn from
# needs   the rows that all stages wrote, of the present cohorts only
# makes   results/tables/*.csv              one tidy table of each kind

TABLES = (
    "decoding comparisons insertion dictionaries dictionary_sessions units tuning ablation"
    " confusion steering patching mediators genotype descriptions rewriting attribution"
    " attribution_check ground_truth excluded".split()
)
# What a table may hold is checked where tables are joined: another schema, another check.
TABLE_SCHEMAS = sha256_of_folder(HOUSE / "schemas" / "tables")[:16]


rule assemble_tables:
    input:
        decoding=each("results/decoders/{cohort}/decoding.csv", cohort=COHORTS),
        references=each("results/decoders/references/{session}.csv", session=DECODED),
        summaries=rules.compare_decoders.output.summaries,
        comparisons=rules.compare_decoders.output.comparisons,
        insertion=each(
            "results/dictionaries/{cohort}/{hook}/insertion.csv", cohort=COHORTS, hook=HOOK
        ),
        dictionaries=each(
            "results/dictionaries/{cohort}/{hook}/dictionaries.csv", cohort=COHORTS, hook=HOOK
        ),
        dictionary_sessions=each(
            "results/dictionaries/{cohort}/{hook}/dictionary_sessions.csv",
            cohort=COHORTS,
            hook=HOOK,
        ),
        units=each("results/units/{cohort}/{hook}/units.csv", cohort=COHORTS, hook=HOOK),
        tuning=each("results/units/{cohort}/{hook}/tuning.csv", cohort=COHORTS, hook=HOOK),
        ablation=EVERY_ABLATION,
        confusion=each(
            "results/interventions/{cohort}/{hook}/confusion.csv", cohort=ABLATIONS, hook=HOOK
        ),
        steering=each(
            "results/interventions/{cohort}/{hook}/steering.csv", cohort=ABLATED, hook=HOOK
        ),
        patching=each(
            "results/interventions/{cohort}/{hook}/patching.csv", cohort=ABLATED, hook=HOOK
        ),
        genotype=each(
            "results/interventions/{cohort}/{hook}/genotype.csv", cohort=GENOTYPE, hook=HOOK
        ),
        mediators=each(
            "results/interventions/{cohort}/{hook}/mediators.csv", cohort=ABLATED, hook=HOOK
        ),
        descriptions=each(rules.explain_units.output.descriptions, cohort=EXPLAINED, hook=HOOK),
        rewriting=each(rules.explain_units.output.rewriting, cohort=EXPLAINED, hook=HOOK),
        attribution=each(rules.explain_units.output.attribution, cohort=EXPLAINED, hook=HOOK),
        attribution_check=each(rules.explain_units.output.check, cohort=EXPLAINED, hook=HOOK),
        ground_truth=GROUND_TRUTH,
        excluded=EXCLUDED,
    output:
        expand("results/tables/{table}.csv", table=TABLES),
    log:
        "results/logs/assemble_tables.log",
    benchmark:
        "results/benchmarks/assemble_tables.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(30),
    params:
        code=code_of("assemble_tables"),
        schemas=TABLE_SCHEMAS,
    shell:
        'python "$SCRIPTS/assemble_tables.py"'
        " --decoding {input.decoding:q} {input.references:q} {input.summaries:q}"
        " --comparisons {input.comparisons:q} --insertion {input.insertion:q}"
        " --dictionaries {input.dictionaries:q}"
        " --dictionary-sessions {input.dictionary_sessions:q}"
        " --units {input.units:q} --tuning {input.tuning:q}"
        " --ablation {input.ablation:q} --confusion {input.confusion:q}"
        " --steering {input.steering:q} --patching {input.patching:q}"
        " --mediators {input.mediators:q}"
        " --genotype {input.genotype:q}"
        " --descriptions {input.descriptions:q} --rewriting {input.rewriting:q}"
        " --attribution {input.attribution:q} --attribution-check {input.attribution_check:q}"
        " --ground-truth {input.ground_truth:q} --excluded {input.excluded:q}"
        " --out results/tables 2>&1 | tee {log:q}"
