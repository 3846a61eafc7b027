# 2 · tensors
# needs   the NWB file of a session, and its events where they take the place of dF/F
# makes   results/tensors/{session}.zarr   dF/F, behaviour, trials and splits
#         results/tensors/{session}.json   its manifest: content hash, shapes, trial counts


rule convert_session:
    input:
        nwb=nwb_of_session,
        events=events_of_session,
    output:
        # Snakemake sees only the stamp of a folder, new whenever it is written; the manifest carries
        # the hash of the content, which whoever opens the tensor compares. So later rules name the
        # folder alone: each file that a job names costs time whenever the jobs are planned.
        tensor=directory("results/tensors/{session}.zarr"),
        manifest="results/tensors/{session}.json",
    log:
        "results/logs/convert_session/{session}.log",
    benchmark:
        "results/benchmarks/convert_session/{session}.tsv"
    priority: 8
    conda:
        "../../envs/tensors.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(30),
    params:
        code=code_of("convert_session"),
        options=as_json(config["tensors"]),
        row=row_of_session,
    shell:
        'python "$SCRIPTS/convert_session.py" --nwb {input.nwb:q} --out {output.tensor:q}'
        " --manifest {output.manifest:q} --options {params.options:q} --row {params.row:q}"
        " --events {input.events:q} 2>&1 | tee {log:q}"


MANIFESTS = each("results/tensors/{session}.json", session=SESSIONS)


rule tensors:
    input:
        MANIFESTS,
