"""What a Cre line changes in the population of cells of a simulated mouse.

The planted effects, at `genotype_effect` 1. They are of the size and kind that surveys of mouse
visual cortex report between lines (de Vries et al. 2020, Nat. Neurosci. 23, figs 2 to 5), but they
are invented: no number here is an estimate of a real line. Each column sums to 0, so that the
average over the six lines is the population of `population.py`.

For the two default lines the planted differences are 1.4 octaves of mean preferred temporal
frequency (1.5 Hz against 4 Hz, within a spread over cells of 1.1 octaves and over mice of 0.2),
a 1.5-fold event rate, 10 to 11 percentage points of responsive cells, and a 1.35-fold
concentration (κ) of direction tuning.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LineEffect:
    """How the cells of a line deviate from the average line."""

    preferred_tf_octaves: float  # added to the mean of log2(preferred temporal frequency / 1 Hz)
    log_event_rate: float  # added to the log of every event rate, spontaneous and driven
    responsive_logit: float  # added to the log odds that a cell responds to gratings
    log_concentration: float  # added to the log of κ, the sharpness of direction tuning


LINE_EFFECTS = {
    "Cux2-CreERT2": LineEffect(-0.70, -0.20, +0.25, +0.15),
    "Rorb-IRES2-Cre": LineEffect(+0.70, +0.20, -0.25, -0.15),
    "Emx1-IRES-Cre": LineEffect(-0.20, +0.00, +0.00, +0.00),
    "Rbp4-Cre_KL100": LineEffect(+0.40, +0.30, -0.30, -0.25),
    "Nr5a1-Cre": LineEffect(+0.30, -0.20, +0.00, +0.15),
    "Scnn1a-Tg3-Cre": LineEffect(-0.50, -0.10, +0.30, +0.10),
}

# Drivers and reporters as the Allen files name them, behind the Cre line.
GENOTYPE_TAIL = "Camk2a-tTA/wt;Ai93(TITL-GCaMP6f)/Ai93(TITL-GCaMP6f)"
SPECIMEN_TAIL = "Camk2a-tTA;Ai93"


def scaled(effect: LineEffect, scale: float) -> LineEffect:
    """The effect times `scale`; at 0 all lines are the same population."""
    return LineEffect(
        effect.preferred_tf_octaves * scale,
        effect.log_event_rate * scale,
        effect.responsive_logit * scale,
        effect.log_concentration * scale,
    )


def short_name(cre_line: str) -> str:
    """'Cux2' of 'Cux2-CreERT2', 'Rbp4' of 'Rbp4-Cre_KL100'."""
    return cre_line.split("-")[0]


def genotype_of(cre_line: str) -> str:
    """The genotype as an Allen file gives it; the Cre line is what stands before the first '/'."""
    return f"{cre_line}/wt;{GENOTYPE_TAIL}"
