# 9 · provenance
# needs   all tables, figures and tensors; what Snakemake wrote down when it made them (.snakemake)
# makes   results/ro-crate-metadata.json   an RO-Crate: what was made from what, by what, where
#         results/provenance/              configuration, code, environments that it refers to


rule record_provenance:
    input:
        manifests=MANIFESTS,
        tables=rules.assemble_tables.output,
        figures=rules.figures.input,
        claims=rules.claims.input,
    output:
        crate="results/ro-crate-metadata.json",
        folder=directory("results/provenance"),
    log:
        "results/logs/record_provenance.log",
    benchmark:
        "results/benchmarks/record_provenance.tsv"
    conda:
        "../../envs/provenance.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(60),
    params:
        code=code_of("record_provenance"),
        config=as_json(config),
    shell:
        'python "$SCRIPTS/record_provenance.py" --targets {input:q} --config {params.config:q}'
        " 2>&1 | tee {log:q}"


rule provenance:
    input:
        rules.record_provenance.output,
