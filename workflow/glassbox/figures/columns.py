"""Columns of the tables of drawn numbers, `figure_{name}.csv`, one beside each figure.

They stand apart from the stages' tables, so that a new panel reruns figures only.
"""

from __future__ import annotations

FIGURE_COLUMNS: dict[str, tuple[str, ...]] = {
    "decoding": tuple("panel kind shown level model mouse cre_line value low high n text".split()),
    "insertion": tuple(
        "panel kind level condition task mouse cre_line session value low high n text".split()
    ),
    "units": tuple("panel kind unit condition place value low high p n text".split()),
    "receptive_fields": tuple("panel kind latent cell place time_s value text".split()),
    "attribution": tuple(
        "panel kind variable unit cell condition place value low high p n text".split()
    ),
    "few_trials": tuple("panel kind model place value low high n text".split()),
    "dictionaries": tuple("panel kind dictionary width k place value low high n text".split()),
    "readability": tuple("panel kind task reader place value low high n text".split()),
    "agreement": tuple("panel kind variable value low high n text".split()),
    "steering": tuple(
        "panel kind variable control asked moved_to place value low high n text".split()
    ),
    "necessity": tuple("panel kind variable n_units place value low high n text".split()),
    "controls": tuple(
        "panel kind variable control condition n_units place value low high p n text".split()
    ),
    "genotype": tuple("panel kind source mouse cre_line value low high p n text".split()),
    "ablation": tuple(
        "panel kind selected_for measured_on control n_units seed true predicted value low high "
        "p n text".split()
    ),
}

TEXTS = frozenset(
    "panel kind shown level model mouse cre_line condition session task selected_for measured_on "
    "true predicted control dictionary variable reader asked moved_to source text".split()
)
