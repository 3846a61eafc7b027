# Glassbox: from raw two-photon sessions to the figures of the paper.
# The rule files stand in the order in which the data flow; each opens with what it needs and makes.

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


# Found beside this file, so that it is read under --directory too; --configfile changes what it names.
configfile: Path(workflow.current_basedir) / "config" / "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/sessions.smk"
include: "workflow/rules/tensors.smk"
include: "workflow/rules/decoders.smk"
include: "workflow/rules/dictionaries.smk"
include: "workflow/rules/units.smk"
include: "workflow/rules/interventions.smk"
include: "workflow/rules/figures.smk"


localrules:
    all,
    sessions,
    tensors,
    decoders,
    dictionaries,
    units,
    interventions,
    tables,
    figures,


rule all:
    default_target: True
    input:
        rules.figures.input,
