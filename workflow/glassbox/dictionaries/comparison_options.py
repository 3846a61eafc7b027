"""Which dictionaries are compared on one decoder's activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from glassbox.errors import UserError

Architecture = Literal["topk", "relu", "batch_topk", "jumprelu", "matryoshka", "matching_pursuit"]

Baseline = Literal[
    "pca_leading",
    "pca",
    "ica",
    "nmf",
    "semi_nmf",
    "raw",
    "raw_cells",
    "difference_in_means",
    "random",
    "random_decoder",
    "untrained_decoder",
]


@dataclass(frozen=True)
class ComparisonOptions:
    """Every architecture, width and k with every other, each from several seeds."""

    architectures: tuple[Architecture, ...] = (
        "topk",
        "relu",
        "batch_topk",
        "jumprelu",
        "matryoshka",
        "matching_pursuit",
    )
    widths: tuple[int, ...] = (128, 512)  # units
    ks: tuple[int, ...] = (8, 16, 32)  # units active in one latent
    seeds: tuple[int, ...] = (0, 1)  # of the dictionaries; the decoder's are its own
    baselines: tuple[Baseline, ...] = get_args(Baseline)  # what they are compared with
    baseline_samples: int = 4000  # activations that NMF and semi-NMF are fitted to and scored on

    def check(self, section: str) -> None:
        """Raise a `UserError` that names the option that cannot be."""
        for name in ("architectures", "widths", "ks", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) != len(values):
                raise UserError(
                    f"{section}.{name}: expected at least one value, none twice; "
                    f"found {list(values)}."
                )
        if len(set(self.baselines)) != len(self.baselines):
            raise UserError(f"{section}.baselines: expected none twice; found {self.baselines}.")
        if min(self.ks) < 1 or min(self.widths) < 2 * max(self.ks):
            raise UserError(
                f"{section}.widths: expected at least 2 × the largest k = {2 * max(self.ks)} units "
                f"each, and each k at least 1; found {list(self.widths)} with {list(self.ks)}."
            )
        if self.baseline_samples < 100:
            raise UserError(
                f"{section}.baseline_samples: expected at least 100; found {self.baseline_samples}."
            )
