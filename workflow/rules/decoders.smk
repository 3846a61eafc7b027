# 3 · decoders
# needs   results/tensors/{session}.zarr and its manifest, of each session of the cohort
# makes   results/decoders/{cohort}/                 weights of each seed and fold, answers, scores
#         results/decoders/references/{session}.*    baselines on the same trials and folds
#         results/decoders/comparisons.csv           decoders against baselines, trial by trial


rule train_decoder:
    input:
        body=body_tensors,
        held_out=held_out_tensors,
    output:
        decoder="results/decoders/{cohort}/decoder.json",
        weights=expand("results/decoders/{{cohort}}/{run}.safetensors", run=RUNS),
        decoding="results/decoders/{cohort}/decoding.csv",
        predictions="results/decoders/{cohort}/predictions.npz",
        training="results/decoders/{cohort}/training.csv",
        provenance="results/decoders/{cohort}/provenance.json",
    log:
        "results/logs/train_decoder/{cohort}.log",
    benchmark:
        "results/benchmarks/train_decoder/{cohort}.tsv"
    priority: 4
    conda:
        "../../envs/decoders.yaml"
    threads: config["threads"]["decoders"]
    resources:
        mem_mb=cohort_memory,
        runtime=cohort_minutes,
        gpu=gpus_of("decoders"),
    params:
        code=code_of("train_decoder"),
        options=as_json(config["decoders"]),
        level=level_of,
        threads=config["threads"]["decoders"],
    shell:
        'python "$SCRIPTS/train_decoder.py" --tensors {input.body:q} --held-out {input.held_out:q}'
        " --cohort {wildcards.cohort:q} --level {params.level:q} --out results/decoders/{wildcards.cohort:q}"
        " --cache results/.cache/decoders/{wildcards.cohort:q}"
        " --logs results/logs/tensorboard/{wildcards.cohort:q}"
        " --options {params.options:q} --threads {params.threads} 2>&1 | tee {log:q}"


# What later stages open of it. Each file that a job names costs time whenever the jobs are planned.
DECODER = [rules.train_decoder.output.decoder, *rules.train_decoder.output.weights]


rule fit_reference:
    input:
        tensor="results/tensors/{session}.zarr",
    output:
        decoding="results/decoders/references/{session}.csv",
        predictions="results/decoders/references/{session}.npz",
        choices="results/decoders/references/{session}.json",
    log:
        "results/logs/fit_reference/{session}.log",
    benchmark:
        "results/benchmarks/fit_reference/{session}.tsv"
    conda:
        "../../envs/decoders.yaml"
    threads: 1
    resources:
        mem_mb=session_memory,
        runtime=by_attempt(120),
    params:
        code=code_of("fit_reference"),
        options=as_json(config["decoders"]),
    shell:
        'python "$SCRIPTS/fit_reference.py" --tensor {input.tensor:q} --out {output.decoding:q}'
        " --predictions {output.predictions:q} --choices {output.choices:q}"
        " --options {params.options:q} 2>&1 | tee {log:q}"


rule export_receptive_fields:
    input:
        decoder=DECODER,
    output:
        fields=directory("results/decoders/{cohort}/receptive_fields.zarr"),
        csv="results/decoders/{cohort}/receptive_fields.csv",
    log:
        "results/logs/export_receptive_fields/{cohort}.log",
    benchmark:
        "results/benchmarks/export_receptive_fields/{cohort}.tsv"
    conda:
        "../../envs/decoders.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(2000),
        runtime=by_attempt(30),
    params:
        code=code_of("export_receptive_fields"),
    shell:
        'python "$SCRIPTS/export_receptive_fields.py" --decoder results/decoders/{wildcards.cohort:q}'
        " --out {output.fields:q} --csv {output.csv:q} 2>&1 | tee {log:q}"


rule fit_few_trials:
    input:
        decoder=DECODER,
        tensors=held_out_tensors,
    output:
        "results/decoders/{cohort}/few_trials.csv",
    log:
        "results/logs/fit_few_trials/{cohort}.log",
    benchmark:
        "results/benchmarks/fit_few_trials/{cohort}.tsv"
    conda:
        "../../envs/decoders.yaml"
    threads: config["threads"]["decoders"]
    resources:
        mem_mb=cohort_memory,
        runtime=cohort_minutes,
    params:
        code=code_of("fit_few_trials"),
        options=as_json(config["decoders"]),
        threads=config["threads"]["decoders"],
    shell:
        'python "$SCRIPTS/fit_few_trials.py" --decoder results/decoders/{wildcards.cohort:q}'
        " --tensors {input.tensors:q} --out {output:q} --options {params.options:q}"
        " --threads {params.threads} 2>&1 | tee {log:q}"


rule receptive_fields:
    input:
        each(rules.export_receptive_fields.output.csv, cohort=COHORTS),


rule compare_decoders:
    input:
        decoders=each("results/decoders/{cohort}/decoder.json", cohort=COHORTS),
        predictions=each("results/decoders/{cohort}/predictions.npz", cohort=COHORTS),
        references=each("results/decoders/references/{session}.npz", session=DECODED),
    output:
        comparisons="results/decoders/comparisons.csv",
        summaries="results/decoders/summaries.csv",
    log:
        "results/logs/compare_decoders.log",
    benchmark:
        "results/benchmarks/compare_decoders.tsv"
    conda:
        "../../envs/decoders.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(4000),
        runtime=by_attempt(60),
    params:
        code=code_of("compare_decoders"),
    shell:
        'python "$SCRIPTS/compare_decoders.py" --decoders {input.decoders:q}'
        " --references {input.references:q} --comparisons {output.comparisons:q}"
        " --summaries {output.summaries:q} 2>&1 | tee {log:q}"


rule decoders:
    input:
        rules.compare_decoders.output,
        each("results/decoders/{cohort}/decoder.json", cohort=COHORTS),
        each("results/decoders/references/{session}.csv", session=DECODED),
