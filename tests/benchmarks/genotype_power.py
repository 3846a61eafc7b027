"""How often genotype is found in 24 simulated mice, and how often it is claimed without a cause.

    python tests/benchmarks/genotype_power.py --results results --kept FOLDER --out rows.csv

Decoder and dictionary are those that a finished run of the default configuration made of its twelve
mice (`results/decoders/all`). Mice that no cohort contains are drawn with a planted effect; their
unit vectors are fitted as those of held-out mice, body and dictionary stay. A cohort is 12 mice of
each of two lines in three folds: every mouse is read by a probe that was trained on 16 others, by
the library's own functions. Power: over cohorts of mice of their own, and over cohorts drawn from
all mice. False claims: the same cohorts with the lines dealt out anew. Fitted mice are kept in a
folder, so that a second run fits those that it lacks.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "workflow")]

import torch  # noqa: E402
from fresh_mice import HeardMouse, hear, mice_of_pool  # noqa: E402
from glassbox.interventions.beside_identity import (  # noqa: E402
    CHOSEN,
    LATENTS,
    SCORE,
    UNITS,
    FoldOfMice,
    Told,
    beyond,
    share_above,
    swaps,
    tell,
)
from glassbox.interventions.identity import identity_features  # noqa: E402
from glassbox.interventions.mouse_features import MouseFeatures  # noqa: E402
from glassbox.interventions.probe import relabelings  # noqa: E402
from glassbox.sessions.options import SimulateOptions  # noqa: E402
from glassbox.statistics import exact_interval  # noqa: E402
from glassbox.tables import write_rows  # noqa: E402
from glassbox.units.truth import frozen_runs  # noqa: E402

COLUMNS = ("cohorts", "measure", "value", "ci_low", "ci_high", "n")
PER_LINE, FOLDS = 12, 3
ALPHA = 0.05


def main(argv: list[str] | None = None) -> int:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--results", type=Path, required=True, help="of a run of the default")
    cli.add_argument("--kept", type=Path, required=True, help="folder of fitted mice")
    cli.add_argument("--out", type=Path, required=True, help="table to write")
    cli.add_argument("--effect", type=float, default=1.0, help="sessions.simulate.genotype_effect")
    cli.add_argument("--cohorts", type=int, default=5, help="of 24 mice, each of its own")
    cli.add_argument("--drawn", type=int, default=100, help="cohorts drawn from all mice")
    cli.add_argument("--relabelings", type=int, default=1000, help="in all, over the cohorts")
    cli.add_argument("--permutations", type=int, default=999, help="of a test")
    cli.add_argument("--epochs", type=int, default=10, help="of the fit of a mouse")
    args = cli.parse_args(argv)
    torch.set_num_threads(1)
    args.kept.mkdir(parents=True, exist_ok=True)
    (run, *_) = frozen_runs(
        args.results / "dictionaries" / "all" / "latents", args.results / "decoders" / "all"
    )
    simulate = SimulateOptions()
    mice = [
        hear(run, mouse, simulate, args.effect, args.epochs, args.kept)
        for mouse in mice_of_pool(simulate.lines, PER_LINE * args.cohorts)
    ]
    size = len(simulate.lines) * PER_LINE
    own = [mice[first : first + size] for first in range(0, len(mice), size)]
    rng = np.random.default_rng(0)
    found = [found_in(cohort, args.permutations, seed) for seed, cohort in enumerate(own)]
    rows = rows_of(f"{len(own)} of their own mice", found, exact=True)
    again = [
        found_in(drawn_from(mice, rng), args.permutations, 1000 + i) for i in range(args.drawn)
    ]
    rows += rows_of(f"{args.drawn} drawn from {len(mice)} mice", again, exact=False)
    each = -(-args.relabelings // len(own))
    false = [
        falsely_claimed(cohort, each, args.permutations, seed) for seed, cohort in enumerate(own)
    ]
    for place, name in enumerate(("probe", "beyond identity")):
        claims = np.concatenate([of_cohort[place] for of_cohort in false])[: args.relabelings]
        rows.append(_share(f"{len(own)} relabelled", f"false claims, {name}", claims))
    write_rows(args.out, COLUMNS, rows)
    for row in rows:
        ends = f" ({row['ci_low']:.3f} to {row['ci_high']:.3f})" if "ci_low" in row else ""
        print(f"{row['cohorts']}: {row['measure']} {row['value']:.3f}{ends}, n = {row['n']}")
    return 0


def told_of(cohort: list[HeardMouse], most: int, seed: int) -> Told:
    """Every source's read of a cohort, by the true lines first, then by `most` relabelings."""
    lines = np.unique([mouse.identity.cre_line for mouse in cohort], return_inverse=True)[1]
    fold_of = np.zeros(len(cohort), dtype=int)
    for line in np.unique(lines):
        its = np.flatnonzero(lines == line)
        fold_of[its] = np.arange(len(its)) % FOLDS
    names = [mouse.identity.mouse for mouse in cohort]
    sources = {
        UNITS: np.stack([mouse.units for mouse in cohort]),
        LATENTS: np.stack([mouse.latents for mouse in cohort]),
    }
    folds = []
    for fold in range(FOLDS):
        training, held_out = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        features = {s: MouseFeatures.of(v[training], v[held_out]) for s, v in sources.items()}
        features |= identity_features(
            [mouse.identity for mouse in cohort],
            [names[i] for i in training],
            [names[i] for i in held_out],
        )
        folds.append(FoldOfMice(training, held_out, features))
    return tell(folds, relabelings(lines, fold_of, most, np.random.default_rng(seed)))


def drawn_from(mice: list[HeardMouse], rng: np.random.Generator) -> list[HeardMouse]:
    """A cohort of different mice, as many of each line."""
    lines = sorted({mouse.identity.cre_line for mouse in mice})
    of_line = [[m for m in mice if m.identity.cre_line == line] for line in lines]
    return [its[i] for its in of_line for i in rng.choice(len(its), PER_LINE, replace=False)]


def found_in(cohort: list[HeardMouse], permutations: int, seed: int) -> dict[str, float]:
    """The test of one cohort: p of the probe, p of its surplus, and what each source tells."""
    told = told_of(cohort, permutations, seed)
    flips = swaps(len(cohort), permutations, np.random.default_rng(seed))
    values = {source: told.values(source) for source in told.scores}
    found = {f"{source}, {m}": float(v[0]) for source in values for m, v in values[source].items()}
    probe = values[UNITS][SCORE]
    difference, p = beyond(told, UNITS, CHOSEN, flips)[SCORE]
    found |= {"p": share_above(probe[0], probe[1:]), "p_beyond": p, "difference": difference}
    latents = values[LATENTS][SCORE]
    return found | {"p_latents": share_above(latents[0], latents[1:])}


def falsely_claimed(
    cohort: list[HeardMouse], n: int, permutations: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Claims when lines are dealt out to the mice anew, within folds: of the probe, of its surplus.

    Relabelings 1 to n are tested as if they were true, the others are what they are tested by.
    """
    told = told_of(cohort, n + permutations, 500 + seed)
    flips = swaps(len(cohort), permutations, np.random.default_rng(seed))
    values = told.values(UNITS)[SCORE]
    p = np.array([share_above(values[i], values[n + 1 :]) for i in range(1, n + 1)])
    surplus = [beyond(told, UNITS, CHOSEN, flips, i)[SCORE][1] for i in range(1, n + 1)]
    return p <= ALPHA, (p <= ALPHA) & (np.array(surplus) <= ALPHA)


def rows_of(cohorts: str, found: list[dict[str, float]], exact: bool) -> list[dict]:
    """Power of each claim, and what each source tells: mean and middle 95% of the cohorts.

    Args:
        exact: the cohorts share no mouse, so that a share has an exact interval.
    """
    table = {name: np.array([one[name] for one in found]) for name in found[0]}
    both = np.maximum(table["p"], table["p_beyond"]) <= ALPHA
    claims = {
        "power, units": table["p"] <= ALPHA,
        "power, latents": table["p_latents"] <= ALPHA,
        "power, units beyond identity": both,
        "units above identity": table["difference"] > 0,
    }
    rows = []
    for name, held in claims.items():
        row = _share(cohorts, name, held)
        rows.append(row if exact else {k: v for k, v in row.items() if not k.startswith("ci_")})
    for name in table:
        if not name.startswith("p"):
            low, high = np.percentile(table[name], [2.5, 97.5])
            row = {"cohorts": cohorts, "measure": name, "value": float(table[name].mean())}
            rows.append(row | {"ci_low": low, "ci_high": high, "n": len(found)})
    return rows


def _share(cohorts: str, measure: str, held: np.ndarray) -> dict:
    """A share of claims with its exact 95% interval."""
    low, high = exact_interval(int(held.sum()), len(held))
    row = {"cohorts": cohorts, "measure": measure, "value": float(held.mean())}
    return row | {"ci_low": low, "ci_high": high, "n": len(held)}


if __name__ == "__main__":
    sys.exit(main())
