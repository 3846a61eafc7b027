"""The command of the README on real Allen sessions, with little training."""

from __future__ import annotations

import csv

import pytest
from workflow_files import FIGURES, Checkout

pytestmark = pytest.mark.real

TASKLESS, REFUSED, WHOLE = "527676626", "496908818_layout_only.nwb", "527745328"
COHORT = "mouse-244896"
LITTLE = """
sessions: {source: folder}
decoders: {folds: [0], seeds: [0], epochs: 2, unit_epochs: 1}
dictionaries: {width: 64, k: 8, copies: 1, samples: 20000, resamples: 100}
units: {permutations: 199, labelings: 99, relabelings: 20}
interventions: {doses: [1, 2], permutations: 99, resamples: 100}
"""


def excluded(checkout: Checkout) -> dict[str, dict[str, str]]:
    with (checkout.results / "tables" / "excluded.csv").open() as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def test_the_local_configuration_plans_the_whole_path_for_the_session_with_gratings(
    checkout, real_nwb_dir
):
    jobs = checkout.jobs("--configfile", "config/local.yaml", "--config", f"nwb_dir={real_nwb_dir}")
    assert set(jobs) == {
        f"convert_session:{TASKLESS}",
        f"convert_session:{WHOLE}",
        f"fit_reference:{WHOLE}",
        f"train_decoder:{COHORT}",
        f"export_receptive_fields:{COHORT}",
        "draw_receptive_fields",
        "compare_decoders",
        f"train_dictionary:{COHORT},latents",
        f"measure_units:{COHORT},latents",
        f"ablate_units:{COHORT},latents",
        f"explain_units:{COHORT},latents",
        f"export_masks:{WHOLE}",
        "draw_attribution",
        "assemble_tables",
        "draw_decoding",
        "draw_insertion",
        "draw_units",
        "draw_ablation",
        "draw_agreement",
        "judge_claims",
        "draw_necessity",
        "draw_controls",
        "draw_steering",
        "report_refused",
    }


def test_a_run_makes_everything_but_the_refused_session_and_says_so_at_its_end(
    checkout, real_nwb_dir
):
    (checkout.root / "little.yaml").write_text(LITTLE)
    run = checkout.snakemake("--configfile", "little.yaml", "--config", f"nwb_dir={real_nwb_dir}")
    said = run.stdout + run.stderr
    assert run.returncode != 0
    assert "Traceback" not in said
    rows = excluded(checkout)
    assert set(rows) == {REFUSED, f"{TASKLESS}.nwb"}
    assert rows[REFUSED]["stage"] == "sessions"
    assert rows[f"{TASKLESS}.nwb"]["stage"] == "decoders"
    sentence = rows[REFUSED]["reason"]
    assert f"excluded: {sentence}" in said
    assert said.rindex(f"error: {sentence}") > said.rindex("rule draw_ablation")
    assert (checkout.results / "tensors" / f"{TASKLESS}.zarr").is_dir()
    for figure in FIGURES:
        assert (checkout.results / "figures" / f"{figure}.pdf").stat().st_size > 0
    with (checkout.results / "tables" / "decoding.csv").open() as file:
        assert {row["cohort"] for row in csv.DictReader(file)} == {COHORT}


def mean_accuracy(checkout: Checkout, table: str, **wanted: str) -> float:
    """Mean over the seeds of the real mouse's cohort."""
    wanted |= {"cohort": COHORT, "metric": "accuracy"}
    with (checkout.results / "tables" / f"{table}.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if wanted.items() <= row.items()]
    assert len(rows) == 3, rows
    return sum(float(row["value"]) for row in rows) / len(rows)


@pytest.mark.slow
def test_the_local_configuration_reaches_the_numbers_of_the_session_with_gratings(
    checkout, real_nwb_dir
):
    """Three seeds, five folds, everything chosen on selection blocks."""
    checkout.snakemake("--configfile", "config/local.yaml", "--config", f"nwb_dir={real_nwb_dir}")
    for task, least in (("direction", 0.94), ("temporal_frequency", 0.62)):
        decoder = {"model": "identity_keyed", "part": "test", "fold": "pooled", "session": WHOLE}
        assert mean_accuracy(checkout, "decoding", task=task, **decoder) >= least
        clean, spliced = (
            mean_accuracy(checkout, "insertion", task=task, session=WHOLE, condition=condition)
            for condition in ("clean", "spliced")
        )
        assert abs(clean - spliced) <= 0.02
