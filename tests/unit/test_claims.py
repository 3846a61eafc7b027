"""Laws of the claims: judged by the tables alone, and each verdict by its stated rule."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from glassbox.claims.ablation import impaired, read_on_new_mice
from glassbox.claims.claim import FAILS, HOLDS, NOT_TESTABLE, Claim, corrected
from glassbox.claims.decoding import decoded_better, kept_by_insertion
from glassbox.claims.genotype import read_beyond_identity
from glassbox.claims.judge import TABLES, judge
from glassbox.claims.options import ClaimOptions
from glassbox.claims.steering import steered
from glassbox.claims.units import selective_units
from glassbox.errors import UserError
from glassbox.figures.options import FiguresOptions
from glassbox.figures.read import read_table
from synthetic_tables import Run

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
FIGURES, OPTIONS = FiguresOptions(), ClaimOptions()
ALL = {"cohort": "all", "level": "all", "session": "", "hook": "latents", "dictionary": "topk"}


def with_p(*values):
    return [
        Claim(f"claim_{i}", "", "all", "t.csv", "", HOLDS, "Found.", p=p)
        for i, p in enumerate(values)
    ]


def test_p_is_corrected_after_holm():
    found = corrected(with_p(0.01, 0.04, 0.03, None), 0.05)
    assert [c.p_holm for c in found] == pytest.approx([0.03, 0.06, 0.06, None])
    assert [c.verdict for c in found] == [HOLDS, FAILS, FAILS, HOLDS]
    assert "Corrected for 3 claims" in found[1].why


def test_a_correction_makes_no_failed_claim_hold():
    claim = Claim("a", "", "all", "t.csv", "", FAILS, "", p=0.001)
    assert corrected([claim], 0.05)[0].verdict == FAILS


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.019, 0.019, HOLDS), (-0.021, 0.01, FAILS), (-0.01, 0.021, FAILS), (0.03, 0.04, FAILS)],
)
def test_an_insertion_is_harmless_where_its_whole_interval_is_inside_the_margin(low, high, verdict):
    row = ALL | {"seed": 0.0, "condition": "spliced_minus_clean", "task": "direction"}
    row |= {"metric": "accuracy", "value": (low + high) / 2, "ci_low": low, "ci_high": high, "n": 9}
    (claim,) = kept_by_insertion(pd.DataFrame([row]), OPTIONS, FIGURES)
    assert claim.verdict == verdict


def test_several_seeds_are_judged_by_their_mean_and_never_by_one_of_them():
    row = ALL | {"seed": 0.0, "condition": "spliced_minus_clean", "task": "direction", "n": 9}
    row |= {"metric": "accuracy", "value": 0.0, "ci_low": -0.1, "ci_high": 0.1}
    seeds = [row, row | {"seed": 1.0}]
    (claim,) = kept_by_insertion(pd.DataFrame(seeds), OPTIONS, FIGURES)
    assert claim.verdict == NOT_TESTABLE
    mean = row | {"seed": float("nan"), "ci_low": -0.01, "ci_high": 0.01}
    (claim,) = kept_by_insertion(pd.DataFrame([*seeds, mean]), OPTIONS, FIGURES)
    assert claim.verdict == HOLDS


@pytest.mark.parametrize(("low", "verdict"), [(0.001, HOLDS), (0.0, FAILS), (-0.01, FAILS)])
def test_a_decoder_is_better_where_the_interval_to_the_chosen_baseline_is_above_0(low, verdict):
    row = ALL | {"seed": float("nan"), "task": "direction", "model": "identity_keyed", "n": 9}
    row |= {"metric": "accuracy", "difference": 0.02, "ci_low": low, "ci_high": 0.1}
    rows = [
        row | {"chosen": "true"},
        row | {"chosen": "false", "ci_low": -1.0},
        row | {"chosen": "true", "model": "identity_keyed_ensemble", "ci_low": 1.0},
    ]
    (claim,) = decoded_better(pd.DataFrame(rows), FIGURES)
    assert claim.verdict == verdict


def unit(number, selective, seed=0.0, variable="direction", p=0.001):
    chosen = {"unit": number, "selective": selective, "p": p, "fold": "0"}
    return ALL | chosen | {"seed": seed, "variable": variable}


def test_units_stand_for_a_variable_where_every_decoder_has_some():
    rows = [unit(0, "true"), unit(1, "false"), unit(0, "true", 1.0)]
    (claim,) = selective_units(pd.DataFrame(rows), ("direction",), FIGURES)
    assert claim.verdict == HOLDS and claim.n == {"units": 3, "decoders": 2}
    rows[2]["selective"] = "false"
    (claim,) = selective_units(pd.DataFrame(rows), ("direction",), FIGURES)
    assert claim.verdict == FAILS


def test_a_variable_that_the_data_do_not_vary_is_not_testable():
    rows = pd.DataFrame([unit(0, "true")])
    claims = list(selective_units(rows, ("direction", "genotype"), FIGURES))
    assert [c.verdict for c in claims] == [HOLDS, NOT_TESTABLE]
    rows = pd.DataFrame([unit(0, "false", p=float("nan"))])
    (claim,) = selective_units(rows, ("direction",), FIGURES)
    assert claim.verdict == NOT_TESTABLE


def ablated(n_units=16, seed=0.0, controls=200.0, p=0.005, low=0.02, **more):
    return (
        ALL
        | {"intervention": "error_preserving", "ablation": "zero", "control": "target"}
        | {"selected_for": "direction", "measured_on": "direction", "metric": "accuracy"}
        | {"strength": 1.0, "control_median": 0.0, "value": 0.5, "drop": 0.1, "ci_low": low}
        | {"ci_high": 0.2, "n_units": n_units, "seed": seed, "n_controls": controls, "p": p}
        | more
    )


def judged(*rows, **options):
    made = impaired(pd.DataFrame(rows), ("direction",), ClaimOptions(**options), FIGURES)
    (claim,) = corrected(list(made), 0.05)
    return claim


def test_an_ablation_is_judged_at_the_largest_dose_that_most_seeds_have_controls_for():
    rows = [ablated(8, s) for s in (0, 1, 2)] + [ablated(16, 0), ablated(16, 1)]
    rows += [ablated(16, 2, controls=0.0, p=float("nan")), ablated(32, 0)]
    claim = judged(*rows)
    assert {row["units"] for row in claim.numbers["by_seed"]} == {16}
    assert claim.n == {"seeds": 3, "seeds_with_matched_sets": 2}
    assert claim.verdict == HOLDS
    assert judged(*rows, units=8).n == {"seeds": 3, "seeds_with_matched_sets": 3}
    assert judged(*rows, units=32).verdict == NOT_TESTABLE


def test_an_ablation_without_enough_matched_sets_is_not_testable():
    claim = judged(ablated(controls=199.0))
    assert claim.verdict == NOT_TESTABLE and claim.p is None


def test_an_ablation_must_pass_in_every_seed_that_can_be_tested():
    assert judged(ablated(), ablated(seed=1.0)).verdict == HOLDS
    assert judged(ablated(), ablated(seed=1.0, p=0.3)).verdict == FAILS
    assert judged(ablated(), ablated(seed=1.0, low=-0.01)).verdict == FAILS


@pytest.mark.parametrize(
    "other",
    [
        {"measured_on": "temporal_frequency"},
        {"control": "top_energy"},
        {"metric": "log_probability"},
        {"intervention": "spliced"},
        {"ablation": "mean"},
        {"strength": 0.5},
    ],
)
def test_no_other_row_is_taken_for_the_primary_ablation(other):
    assert judged(ablated(p=0.9), ablated(64, **other)).p == 0.9


def clamped(seed, moved, random, dose=1.0, units=10):
    row = ALL | {"seed": float(seed), "fold": "0", "variable": "direction", "dose": dose}
    for control, how_many in (("target", moved), ("random", random)):
        for unit in range(units):
            yield row | {"control": control, "unit": unit, "moved": str(unit < how_many).lower()}


@pytest.mark.parametrize(
    ("seeds", "verdict"),
    [
        ([(9, 1)], HOLDS),
        ([(9, 1), (4, 0)], FAILS),  # fewer than half, if more than at random
        ([(9, 1), (6, 5)], FAILS),  # half, if no more than at random
        ([(9, 1), (8, 2)], HOLDS),
    ],
)
def test_units_steer_where_at_least_half_do_and_more_than_random_ones_in_every_seed(seeds, verdict):
    rows = [row for seed, counts in enumerate(seeds) for row in clamped(seed, *counts)]
    (claim,) = steered(pd.DataFrame(rows), OPTIONS, FIGURES)
    assert claim.verdict == verdict
    assert claim.p == max(one["p"] for one in claim.numbers["by_seed"])


def test_units_are_judged_at_their_99th_percentile_alone():
    rows = [*clamped(0, 2, 2), *clamped(0, 10, 0, dose=4.0)]
    (claim,) = steered(pd.DataFrame(rows), OPTIONS, FIGURES)
    assert claim.verdict == FAILS and claim.n["units"] == 10
    assert list(steered(pd.DataFrame(clamped(0, 10, 0, dose=4.0)), OPTIONS, FIGURES)) == []


def test_genotype_is_judged_on_mice_held_out():
    held = {"cohort": "all-without", "level": "heldout"}
    held |= {"selected_for": "genotype", "measured_on": "genotype"}
    rows = pd.DataFrame([ablated(), ablated(p=0.4, low=-0.1, **held)])
    claims = {c.claim: c for c in impaired(rows, ("direction", "genotype"), OPTIONS, FIGURES)}
    assert claims["ablation_direction"].verdict == HOLDS
    assert claims["ablation_genotype"].verdict == FAILS
    assert claims["ablation_genotype"].cohort == "all-without"


def test_one_mouse_makes_every_claim_about_genotype_not_testable():
    rows = pd.DataFrame([ablated()])
    (claim,) = impaired(rows, ("genotype",), OPTIONS, FIGURES)
    assert claim.verdict == read_on_new_mice(rows, FIGURES).verdict == NOT_TESTABLE


def test_the_probe_of_new_mice_holds_by_its_largest_p_alone():
    held = {"cohort": "all-without", "level": "heldout", "control": "relabelled_mice"}
    rows = [ablated(p=0.01, **held), ablated(p=0.2, seed=1.0, **held)]
    assert corrected([read_on_new_mice(pd.DataFrame(rows), FIGURES)], 0.05)[0].verdict == FAILS
    assert corrected([read_on_new_mice(pd.DataFrame(rows[:1]), FIGURES)], 0.05)[0].verdict == HOLDS


def told_of_genotype(p=0.01, p_beyond=0.02, low=0.1, seed=0.0, reason=""):
    about = {"cohort": "all-without", "level": "heldout", "hook": "latents", "dictionary": "topk"}
    about |= {"seed": seed, "metric": "standardised_score", "mouse": "", "n": 12.0}
    about |= {"baseline": "", "value": 0.9, "ci_low": 0.5, "ci_high": 1.1, "reason": ""}
    return [
        about | {"source": "units", "p": p, "relabelings": 215.0},
        about | {"source": "units", "p": 0.9, "metric": "accuracy", "relabelings": 215.0},
        about
        | {"source": "units", "baseline": "chosen_identity", "value": 0.3, "p": p_beyond}
        | {"ci_low": low, "reason": "chosen: mean_rate"},
        about | {"source": "units", "baseline": "cell_count", "p": 1.0, "ci_low": -1.0},
        about | {"source": "latents", "baseline": "chosen_identity", "p": 1.0, "ci_low": -1.0},
        about | {"source": "depth", "p": float("nan"), "reason": reason},
    ]


def judged_beyond(*rows):
    claim = read_beyond_identity(
        pd.DataFrame([row for several in rows for row in several]), FIGURES
    )
    return corrected([claim], 0.05)[0]


def test_units_must_tell_genotype_and_more_of_it_than_the_chosen_identity_in_every_seed():
    assert judged_beyond(told_of_genotype()).verdict == HOLDS
    assert judged_beyond(told_of_genotype()).p == 0.02
    assert judged_beyond(told_of_genotype(p=0.2)).verdict == FAILS
    assert judged_beyond(told_of_genotype(p_beyond=0.2)).verdict == FAILS
    assert judged_beyond(told_of_genotype(low=-0.01)).verdict == FAILS
    seeds = told_of_genotype(), told_of_genotype(p_beyond=0.3, seed=1.0)
    assert judged_beyond(*seeds).verdict == FAILS
    assert judged_beyond(*seeds).n == {"mice": 12, "relabelings": 215, "seeds": 2}


def test_genotype_that_goes_with_a_place_is_not_testable_beyond_it():
    claim = judged_beyond(told_of_genotype(reason="not estimable: A occurs at 175 µm only"))
    assert claim.verdict == NOT_TESTABLE and "175 µm" in claim.why
    assert judged_beyond(told_of_genotype(reason="the same in all mice: 175 µm")).verdict == HOLDS


@pytest.mark.parametrize("run", [Run(), Run(mice=1, genotype=False), Run(seeds=(0, 1))])
def test_the_script_judges_every_primary_claim_and_the_same_tables_give_the_same_bytes(
    tmp_path, capsys, monkeypatch, run
):
    monkeypatch.syspath_prepend(SCRIPTS)
    from judge_claims import main

    folder = run.write(tmp_path)
    given = [word for t in TABLES for word in (f"--{t}", str(folder / f"{t}.csv"))]
    assert main([*given, "--out", str(tmp_path / "claims.json")]) == 0
    first = (tmp_path / "claims.json").read_bytes()
    claims = json.loads(first)["claims"]
    for kind, variables in (("decoding", 2), ("insertion", 2), ("units", 3), ("ablation", 3)):
        assert sum(c["claim"].startswith(kind) for c in claims) == variables
    assert {c["verdict"] for c in claims} <= {HOLDS, FAILS, NOT_TESTABLE}
    assert all(c["why"] and c["test"] and c["statement"] for c in claims)
    assert capsys.readouterr().out.count("\n") == len(claims)
    main([*given, "--out", str(tmp_path / "claims.json")])
    assert (tmp_path / "claims.json").read_bytes() == first


def test_tables_of_no_rows_make_no_claim_hold(tmp_path):
    folder = Run(mice=1, genotype=False).write(tmp_path)
    tables = {t: read_table(t, folder / f"{t}.csv").iloc[:0] for t in TABLES}
    assert all(c.verdict == NOT_TESTABLE for c in judge(tables, OPTIONS, FIGURES))


@pytest.mark.parametrize(
    ("key", "value"), [("alpha", 0.0), ("margin", 1.0), ("units", -1), ("controls", 5)]
)
def test_a_threshold_that_cannot_be_is_refused(key, value):
    with pytest.raises(UserError, match=rf"claims\.{key}: expected"):
        ClaimOptions(**{key: value}).check("claims")
