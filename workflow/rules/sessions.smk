# 1 · sessions
# needs   the configuration; NWB files of a folder or a catalogue, read in place
# makes   results/sessions/catalogue.tsv, excluded.csv   by the main process, where they changed
#         results/sessions/{session}.nwb, .truth.npz     simulated sessions and what was planted
#         results/sessions/masks/{session}.csv           where its cells lie, from its NWB file
#         results/sessions/allen.tsv                     what the Allen API has, asked for once
#         results/sessions/allen/{session}.nwb           sessions fetched from it
#         results/sessions/allen/{session}_events.npz    their events, where they are asked for


wildcard_constraints:
    session="[A-Za-z0-9_][A-Za-z0-9._-]*",
    cohort="all|all-without-[0-9]+|(mouse|genotype)-[A-Za-z0-9._-]+",
    hook="[a-z]+[0-9]*([.][a-z]+)?",


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


rule export_masks:
    input:
        nwb=nwb_of_session,
    output:
        "results/sessions/masks/{session}.csv",
    log:
        "results/logs/export_masks/{session}.log",
    benchmark:
        "results/benchmarks/export_masks/{session}.tsv"
    conda:
        "../../envs/sessions.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("export_masks"),
    shell:
        'python "$SCRIPTS/export_masks.py" --nwb {input.nwb:q} --out {output:q} 2>&1 | tee {log:q}'


rule fetch_catalogue:
    output:
        ALLEN_CATALOGUE,
    log:
        "results/logs/fetch_catalogue.log",
    benchmark:
        "results/benchmarks/fetch_catalogue.tsv"
    conda:
        "../../envs/allensdk.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(30),
    params:
        code=code_of("fetch_catalogue"),
        asked=asked_of(OPTIONS["sessions"].allen),
        manifest=manifest_of_allensdk,
    shell:
        'python "$SCRIPTS/fetch_catalogue.py" --asked={params.asked:q} --manifest={params.manifest:q}'
        " --out {output:q} 2>&1 | tee {log:q}"


# The bytes are the server's: no edit of the code here fetches a file again. An existing file is
# only looked at (update), and stays where it is whole.
rule fetch_session:
    output:
        update("results/sessions/allen/{session}.nwb"),
    log:
        "results/logs/fetch_session/{session}.log",
    benchmark:
        "results/benchmarks/fetch_session/{session}.tsv"
    conda:
        "../../envs/allensdk.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1500),
        runtime=by_attempt(240),
        downloads=1,
    params:
        link=link_of_session,
    shell:
        'python "$SCRIPTS/fetch_session.py" --session {wildcards.session:q} --link={params.link:q}'
        " --out {output:q} 2>&1 | tee {log:q}"


rule fetch_events:
    output:
        update("results/sessions/allen/{session}_events.npz"),
    log:
        "results/logs/fetch_events/{session}.log",
    benchmark:
        "results/benchmarks/fetch_events/{session}.tsv"
    conda:
        "../../envs/allensdk.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(60),
        downloads=1,
    params:
        link=events_link_of_session,
    shell:
        'python "$SCRIPTS/fetch_events.py" --link={params.link:q} --out {output:q}'
        " 2>&1 | tee {log:q}"


rule catalogue:
    input:
        ALLEN_CATALOGUE if FROM_ALLEN else [],


rule sessions:
    input:
        each("results/sessions/{session}.nwb", session=SIMULATED),
        each("results/sessions/allen/{session}.nwb", session=FETCHED),
        each("results/sessions/allen/{session}_events.npz", session=FETCHED if EVENTS else []),
