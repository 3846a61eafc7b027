# 1 · sessions
# needs   the configuration; NWB files of a folder or a catalogue, read in place
# makes   results/sessions/catalogue.tsv, excluded.csv   by the main process, where they changed
#         results/sessions/{session}.nwb, .truth.npz     simulated sessions and what was planted


wildcard_constraints:
    session="[A-Za-z0-9_][A-Za-z0-9._-]*",
    cohort="all|all-without-[0-9]+|(mouse|genotype)-[A-Za-z0-9._-]+",
    hook="[a-z_]+",


rule simulate_session:
    output:
        nwb="results/sessions/{session}.nwb",
        truth="results/sessions/{session}.truth.npz",
    log:
        "results/logs/simulate_session/{session}.log",
    benchmark:
        "results/benchmarks/simulate_session/{session}.tsv"
    priority: 8
    conda:
        "../../envs/sessions.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("simulate_session"),
        options=simulation_of_session,
    shell:
        'python "$SCRIPTS/simulate_session.py" --session {wildcards.session:q}'
        " --options {params.options:q} --out {output.nwb:q} --truth {output.truth:q}"
        " 2>&1 | tee {log:q}"


rule sessions:
    input:
        expand("results/sessions/{session}.nwb", session=SIMULATED),
