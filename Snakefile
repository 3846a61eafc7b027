# Glassbox: from raw two-photon sessions to the figures of the paper.
# The rule files stand in the order in which the data flow; each opens with what it needs and makes.

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


# Found beside this file, so that it is read under --directory too; --configfile changes what it names.
configfile: Path(workflow.current_basedir) / "config" / "config.yaml"


report: "report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/sessions.smk"
include: "workflow/rules/tensors.smk"
include: "workflow/rules/decoders.smk"
include: "workflow/rules/dictionaries.smk"
include: "workflow/rules/units.smk"
include: "workflow/rules/interventions.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/provenance.smk"


localrules:
    all,
    report_refused,
    fetch_catalogue,
    catalogue,
    sessions,
    tensors,
    decoders,
    receptive_fields,
    few_trials,
    comparisons,
    readability,
    dictionaries,
    units,
    interventions,
    tables,
    figures,
    claims,
    record_provenance,
    provenance,


# Refused sessions stop nothing else. This rule comes last, says them again, and ends the run with
# a status that is not 0; it makes no file, so it runs each time until they are mended or excluded.
rule report_refused:
    input:
        MANIFESTS,
        rules.figures.input,
    output:
        "results/sessions/none_refused",
    log:
        "results/logs/report_refused.log",
    conda:
        "envs/sessions.yaml"
    params:
        sentences=REFUSED,
    shell:
        "printf 'error: %s\\n' {params.sentences:q} 2>&1 | tee {log:q}; exit 2"


rule all:
    default_target: True
    input:
        MANIFESTS,
        rules.figures.input,
        rules.claims.input,
        rules.record_provenance.output,
        rules.report_refused.output if REFUSED else [],


onerror:
    print(
        "Not everything was made. Above stand the jobs that failed and why; the log of each is in "
        "results/logs/{rule}/. What was made is whole and stays; run the same command again.",
        file=sys.stderr,
    )


onsuccess:
    print(
        "Figures: results/figures/ · tables: results/tables/ · claims: results/claims.json · "
        "logs: results/logs/"
    )
