# 8 · claims
# needs   the assembled tables only
# makes   results/claims.json    each primary claim with its test, its numbers and its verdict


rule judge_claims:
    input:
        comparisons="results/tables/comparisons.csv",
        insertion="results/tables/insertion.csv",
        units="results/tables/units.csv",
        ablation="results/tables/ablation.csv",
        steering="results/tables/steering.csv",
        genotype="results/tables/genotype.csv",
    output:
        report(
            "results/claims.json",
            caption="../../report/claims.rst",
            category="Claims",
            labels={"claims": "primary", "question": "Which claims hold?"},
        ),
    log:
        "results/logs/judge_claims.log",
    benchmark:
        "results/benchmarks/judge_claims.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("judge_claims"),
        options=as_json(config["claims"]),
        figures=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/judge_claims.py" --comparisons {input.comparisons:q}'
        " --insertion {input.insertion:q} --units {input.units:q} --ablation {input.ablation:q}"
        " --steering {input.steering:q} --genotype {input.genotype:q} --out {output:q}"
        " --options {params.options:q} --figures {params.figures:q}"
        " 2>&1 | tee {log:q}"


rule claims:
    input:
        rules.judge_claims.output,
