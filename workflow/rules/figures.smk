# 7 · figures
# needs   results/tables/*.csv
# makes   results/figures/*.pdf, *.png      drawn from the tables alone
#         results/tables/figure_*.csv       the numbers that a figure shows

FIGURES = ["decoding", "insertion", "units", "ablation", "necessity", "controls", "steering"]
# One cohort's receptive fields are drawn, for one is enough to see: the first mouse's.
FIELDS_OF = [
    name
    for name, cohort in COHORTS.items()
    if cohort.level == "mouse" and config["decoders"].get("decoder") != "poyo_plus"
][:1]
FIGURES += ["receptive_fields" for _ in FIELDS_OF]
FIGURES += ["agreement" for _ in config["decoders"]["seeds"][1:2]]  # of units, over seeds
FIGURES += ["genotype" for _ in GENOTYPE]  # where mice of two lines can be held out
# Units are drawn with their cells of one cohort and session: the first.
SHOWN_SESSION = [session for cohort in TRACED[:1] for session in COHORTS[cohort].body[:1]]
FIGURES += ["attribution" for _ in TRACED[:1]]


rule draw_decoding:
    input:
        decoding="results/tables/decoding.csv",
        comparisons="results/tables/comparisons.csv",
    output:
        png=report(
            "results/figures/decoding.png",
            caption="../../report/decoding.rst",
            category="Figures",
            labels={"figure": "decoding", "question": "How well is each stimulus decoded?"},
        ),
        pdf="results/figures/decoding.pdf",
        csv="results/tables/figure_decoding.csv",
    log:
        "results/logs/draw_decoding.log",
    benchmark:
        "results/benchmarks/draw_decoding.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_decoding"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_decoding.py" --decoding {input.decoding:q}'
        " --comparisons {input.comparisons:q} --pdf {output.pdf:q} --png {output.png:q}"
        " --csv {output.csv:q} --options {params.options:q} 2>&1 | tee {log:q}"


rule draw_insertion:
    input:
        insertion="results/tables/insertion.csv",
        decoding="results/tables/decoding.csv",
    output:
        png=report(
            "results/figures/insertion.png",
            caption="../../report/insertion.rst",
            category="Figures",
            labels={
                "figure": "insertion",
                "question": "Does the decoder keep its performance with the dictionary in it?",
            },
        ),
        pdf="results/figures/insertion.pdf",
        csv="results/tables/figure_insertion.csv",
    log:
        "results/logs/draw_insertion.log",
    benchmark:
        "results/benchmarks/draw_insertion.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_insertion"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_insertion.py" --insertion {input.insertion:q}'
        " --decoding {input.decoding:q} --pdf {output.pdf:q} --png {output.png:q}"
        " --csv {output.csv:q} --options {params.options:q} 2>&1 | tee {log:q}"


rule draw_units:
    input:
        units="results/tables/units.csv",
        tuning="results/tables/tuning.csv",
    output:
        png=report(
            "results/figures/units.png",
            caption="../../report/units.rst",
            category="Figures",
            labels={"figure": "units", "question": "What do the hidden units respond to?"},
        ),
        pdf="results/figures/units.pdf",
        csv="results/tables/figure_units.csv",
    log:
        "results/logs/draw_units.log",
    benchmark:
        "results/benchmarks/draw_units.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_units"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_units.py" --units {input.units:q} --tuning {input.tuning:q}'
        " --pdf {output.pdf:q} --png {output.png:q} --csv {output.csv:q}"
        " --options {params.options:q} 2>&1 | tee {log:q}"


rule draw_agreement:
    input:
        units="results/tables/units.csv",
    output:
        png=report(
            "results/figures/agreement.png",
            caption="../../report/agreement.rst",
            category="Figures",
            labels={
                "figure": "agreement",
                "question": "Are the same units found again from another seed?",
            },
        ),
        pdf="results/figures/agreement.pdf",
        csv="results/tables/figure_agreement.csv",
    log:
        "results/logs/draw_agreement.log",
    benchmark:
        "results/benchmarks/draw_agreement.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_agreement"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_agreement.py" --units {input.units:q} --pdf {output.pdf:q}'
        " --png {output.png:q} --csv {output.csv:q} --options {params.options:q} 2>&1 | tee {log:q}"


rule draw_ablation:
    input:
        ablation="results/tables/ablation.csv",
        confusion="results/tables/confusion.csv",
    output:
        png=report(
            "results/figures/ablation.png",
            caption="../../report/ablation.rst",
            category="Figures",
            labels={
                "figure": "ablation",
                "question": "What does the decoder lose without the units of a variable?",
            },
        ),
        pdf="results/figures/ablation.pdf",
        csv="results/tables/figure_ablation.csv",
    log:
        "results/logs/draw_ablation.log",
    benchmark:
        "results/benchmarks/draw_ablation.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_ablation"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_ablation.py" --ablation {input.ablation:q}'
        " --confusion {input.confusion:q} --pdf {output.pdf:q} --png {output.png:q}"
        " --csv {output.csv:q} --options {params.options:q} 2>&1 | tee {log:q}"


rule draw_necessity:
    input:
        ablation="results/tables/ablation.csv",
        mediators="results/tables/mediators.csv",
        confusion="results/tables/confusion.csv",
    output:
        png=report(
            "results/figures/necessity.png",
            caption="../../report/necessity.rst",
            category="Figures",
            labels={
                "figure": "necessity",
                "question": "Are a variable's units needed, and do they suffice?",
            },
        ),
        pdf="results/figures/necessity.pdf",
        csv="results/tables/figure_necessity.csv",
    log:
        "results/logs/draw_necessity.log",
    benchmark:
        "results/benchmarks/draw_necessity.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_necessity"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_necessity.py" --ablation {input.ablation:q}'
        " --mediators {input.mediators:q} --confusion {input.confusion:q} --pdf {output.pdf:q}"
        " --png {output.png:q} --csv {output.csv:q} --options {params.options:q} 2>&1 | tee {log:q}"


rule draw_controls:
    input:
        ablation="results/tables/ablation.csv",
        sets=expand(
            "results/interventions/{cohort}/{hook}/controls.csv", cohort=EXPLAINED, hook=HOOK
        ),
    output:
        png=report(
            "results/figures/controls.png",
            caption="../../report/controls.rst",
            category="Figures",
            labels={"figure": "controls", "question": "What is each ablation held against?"},
        ),
        pdf="results/figures/controls.pdf",
        csv="results/tables/figure_controls.csv",
    log:
        "results/logs/draw_controls.log",
    benchmark:
        "results/benchmarks/draw_controls.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_controls"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_controls.py" --ablation {input.ablation:q} --sets {input.sets:q}'
        " --pdf {output.pdf:q} --png {output.png:q} --csv {output.csv:q}"
        " --options {params.options:q} 2>&1 | tee {log:q}"


rule draw_steering:
    input:
        steering="results/tables/steering.csv",
    output:
        png=report(
            "results/figures/steering.png",
            caption="../../report/steering.rst",
            category="Figures",
            labels={
                "figure": "steering",
                "question": "Does a clamped unit move the decoder to what the unit stands for?",
            },
        ),
        pdf="results/figures/steering.pdf",
        csv="results/tables/figure_steering.csv",
    log:
        "results/logs/draw_steering.log",
    benchmark:
        "results/benchmarks/draw_steering.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_steering"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_steering.py" --steering {input.steering:q} --pdf {output.pdf:q}'
        " --png {output.png:q} --csv {output.csv:q} --options {params.options:q} 2>&1 | tee {log:q}"


rule draw_genotype:
    input:
        genotype="results/tables/genotype.csv",
    output:
        png=report(
            "results/figures/genotype.png",
            caption="../../report/genotype.rst",
            category="Figures",
            labels={
                "figure": "genotype",
                "question": "Do hidden units tell the genotype of mice never seen?",
            },
        ),
        pdf="results/figures/genotype.pdf",
        csv="results/tables/figure_genotype.csv",
    log:
        "results/logs/draw_genotype.log",
    benchmark:
        "results/benchmarks/draw_genotype.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_genotype"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_genotype.py" --genotype {input.genotype:q} --pdf {output.pdf:q}'
        " --png {output.png:q} --csv {output.csv:q} --options {params.options:q} 2>&1 | tee {log:q}"


rule draw_receptive_fields:
    input:
        fields=expand("results/decoders/{cohort}/receptive_fields.csv", cohort=FIELDS_OF),
    output:
        png=report(
            "results/figures/receptive_fields.png",
            caption="../../report/receptive_fields.rst",
            category="Figures",
            labels={"figure": "receptive_fields", "question": "What do the latents hear?"},
        ),
        pdf="results/figures/receptive_fields.pdf",
        csv="results/tables/figure_receptive_fields.csv",
    log:
        "results/logs/draw_receptive_fields.log",
    benchmark:
        "results/benchmarks/draw_receptive_fields.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_receptive_fields"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_receptive_fields.py" --fields {input.fields:q} --pdf {output.pdf:q}'
        " --png {output.png:q} --csv {output.csv:q} --options {params.options:q} 2>&1 | tee {log:q}"


rule draw_attribution:
    input:
        attribution=expand(rules.explain_units.output.attribution, cohort=TRACED[:1], hook=HOOK),
        check=expand(rules.explain_units.output.check, cohort=TRACED[:1], hook=HOOK),
        tuning=expand(rules.explain_units.output.tuning, cohort=TRACED[:1], hook=HOOK),
        masks=expand(rules.export_masks.output, session=SHOWN_SESSION),
    output:
        png=report(
            "results/figures/attribution.png",
            caption="../../report/attribution.rst",
            category="Figures",
            labels={"figure": "attribution", "question": "Which cells does a unit hear?"},
        ),
        pdf="results/figures/attribution.pdf",
        csv="results/tables/figure_attribution.csv",
    log:
        "results/logs/draw_attribution.log",
    benchmark:
        "results/benchmarks/draw_attribution.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_attribution"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_attribution.py" --attribution {input.attribution:q}'
        " --check {input.check:q} --tuning {input.tuning:q} --masks {input.masks:q}"
        " --pdf {output.pdf:q} --png {output.png:q} --csv {output.csv:q}"
        " --options {params.options:q} 2>&1 | tee {log:q}"


rule draw_few_trials:
    input:
        tables=each("results/decoders/{cohort}/few_trials.csv", cohort=HELD_OUT),
    output:
        png=report(
            "results/figures/few_trials.png",
            caption="../../report/few_trials.rst",
            category="Figures",
            labels={
                "figure": "few_trials",
                "question": "How many trials of a new mouse does a trained decoder need?",
            },
        ),
        pdf="results/figures/few_trials.pdf",
        csv="results/tables/figure_few_trials.csv",
    log:
        "results/logs/draw_few_trials.log",
    benchmark:
        "results/benchmarks/draw_few_trials.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_few_trials"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_few_trials.py" --tables {input.tables:q} --pdf {output.pdf:q}'
        " --png {output.png:q} --csv {output.csv:q} --options {params.options:q} 2>&1 | tee {log:q}"


# Not part of the main job: it fits every held-out mouse several times over.
rule few_trials:
    input:
        rules.draw_few_trials.output,


COMPARISONS = each(
    "results/dictionaries/{cohort}/{hook}/comparison/comparison.csv", cohort=ABLATED, hook=HOOK
)


rule draw_dictionaries:
    input:
        tables=COMPARISONS,
    output:
        png=report(
            "results/figures/dictionaries.png",
            caption="../../report/dictionaries.rst",
            category="Figures",
            labels={
                "figure": "dictionaries",
                "question": "Which dictionary keeps the latents with the fewest units?",
            },
        ),
        pdf="results/figures/dictionaries.pdf",
        csv="results/tables/figure_dictionaries.csv",
    log:
        "results/logs/draw_dictionaries.log",
    benchmark:
        "results/benchmarks/draw_dictionaries.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_dictionaries"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_dictionaries.py" --tables {input.tables:q} --pdf {output.pdf:q}'
        " --png {output.png:q} --csv {output.csv:q} --options {params.options:q} 2>&1 | tee {log:q}"


# Not part of the main job: it trains every architecture, width and k.
rule comparisons:
    input:
        COMPARISONS,
        rules.draw_dictionaries.output,


PROBES = each("results/units/{cohort}/{hook}/probes.csv", cohort=PROBED, hook=HOOK)


rule draw_readability:
    input:
        tables=PROBES,
    output:
        png=report(
            "results/figures/readability.png",
            caption="../../report/readability.rst",
            category="Figures",
            labels={
                "figure": "readability",
                "question": "Where is a variable readable, and by how few features?",
            },
        ),
        pdf="results/figures/readability.pdf",
        csv="results/tables/figure_readability.csv",
    log:
        "results/logs/draw_readability.log",
    benchmark:
        "results/benchmarks/draw_readability.tsv"
    conda:
        "../../envs/figures.yaml"
    threads: 1
    resources:
        mem_mb=by_attempt(1000),
        runtime=by_attempt(10),
    params:
        code=code_of("draw_readability"),
        options=as_json(config["figures"]),
    shell:
        'python "$SCRIPTS/draw_readability.py" --tables {input.tables:q} --pdf {output.pdf:q}'
        " --png {output.png:q} --csv {output.csv:q} --options {params.options:q} 2>&1 | tee {log:q}"


# Not part of the main job: it probes every layer of the widest cohort's decoders.
rule readability:
    input:
        PROBES,
        rules.draw_readability.output,


rule tables:
    input:
        rules.assemble_tables.output,


rule figures:
    input:
        expand("results/figures/{figure}.{form}", figure=FIGURES, form=["png", "pdf"]),
        expand("results/tables/figure_{figure}.csv", figure=FIGURES),
