"""Dictionary, units and ablation at other hooks than the latents, by the scripts' own `main`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from glassbox.tables import read_rows

SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"
SMALL = {"dim": 16, "epochs": 4, "min_cells": 6, "folds": [0], "seeds": [0]}
DECODERS = {
    "identity_keyed": SMALL | {"latents": 4, "heads": 2, "value_dim": 8},
    "poyo_plus": SMALL
    | {
        "decoder": "poyo_plus",
        "samples_per_s": 10,
        "poyo_plus": {
            "context_s": 1.0,
            "latent_step_s": 0.5,
            "latents_per_step": 2,
            "dim": 16,
            "depth": 1,
            "head_dim": 8,
            "cross_heads": 2,
            "self_heads": 2,
        },
    },
}
SIMULATE = {"cells_min": 8, "cells_max": 10, "trials": 210, "noise": 0.3}
DICTIONARY = {"width": 32, "k": 4, "samples": 20000, "batch": 128, "copies": 2, "resamples": 99}
UNITS = {"permutations": 99, "labelings": 99, "min_effect": 1e-6, "q": 0.5}
ABLATION = {"doses": [1, 2], "n_controls": 200, "permutations": 99, "resamples": 99}
SESSIONS = ("sim-Cux2-01", "sim-Rorb-01")


def call(script: str, *arguments: object) -> None:
    spec = importlib.util.spec_from_file_location(script, SCRIPTS / f"{script}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main([str(a) for a in arguments]) == 0


@pytest.fixture(scope="module")
def tensors(tmp_path_factory) -> list[Path]:
    folder, made = tmp_path_factory.mktemp("sessions"), []
    for session in SESSIONS:
        nwb, made_of = folder / f"{session}.nwb", folder / f"{session}.zarr"
        truth, options = folder / f"{session}.npz", json.dumps(SIMULATE)
        call("simulate_session", "--session", session, "--options", options, "--out", nwb,
             "--truth", truth)  # fmt: skip
        call("convert_session", "--nwb", nwb, "--out", made_of,
             "--manifest", made_of.with_suffix(".json"))  # fmt: skip
        made.append(made_of)
    return made


@pytest.fixture(scope="module", params=DECODERS)
def decoder(request, tensors, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp(request.param) / "all"
    call("train_decoder", "--tensors", *tensors, "--cohort", "all", "--level", "all", "--out", out,
         "--options", json.dumps(DECODERS[request.param]))  # fmt: skip
    return out


@pytest.mark.slow
@pytest.mark.parametrize("hook", ["latents", "block0.attention", "queries"])
def test_dictionary_units_and_ablation_run_whole_at_another_hook(decoder, tensors, hook, tmp_path):
    stage4, stage5, stage6 = (tmp_path / name for name in ("dictionary", "units", "ablation"))
    call("train_dictionary", "--decoder", decoder, "--tensors", *tensors, "--out", stage4,
         "--hook", hook, "--options", json.dumps(DICTIONARY))  # fmt: skip
    facts = json.loads((stage4 / "dictionary.json").read_text())
    is_poyo = decoder.parent.name.startswith("poyo_plus")
    assert facts["hook"] == hook
    assert facts["holds_session"] == (is_poyo and hook == "queries")
    insertion = read_rows(stage4 / "insertion.csv")
    assert {row["hook"] for row in insertion} == {hook}
    clean = {
        row["task"]: float(row["value"])
        for row in insertion
        if (row["session"], row["condition"], row["metric"]) == ("pooled", "clean", "accuracy")
    }
    decoding = read_rows(decoder / "decoding.csv")
    for task, value in clean.items():  # read from the hook, the decoder says what it always says
        weighted = [
            (float(row["value"]), int(row["n"]))
            for row in decoding
            if (row["task"], row["part"], row["metric"], row["fold"])
            == (task, "test", "accuracy", "0")
            and row["session"] in SESSIONS
        ]
        said, n = np.array(weighted).T
        assert value == pytest.approx((said * n).sum() / n.sum(), abs=1e-5)

    call("measure_units", "--dictionary", stage4, "--out", stage5, "--cohort", "all",
         "--level", "all", "--options", json.dumps(UNITS))  # fmt: skip
    assert {row["hook"] for row in read_rows(stage5 / "units.csv")} == {hook}
    notes = json.loads((stage5 / "units.json").read_text())["notes"]
    assert any("confounded" in note["note"] for note in notes) == facts["holds_session"]

    call("ablate_units", "--decoder", decoder, "--dictionary", stage4, "--units", stage5,
         "--tensors", *tensors, "--out", stage6, "--options", json.dumps(ABLATION))  # fmt: skip
    rows = read_rows(stage6 / "ablation.csv")
    assert {row["hook"] for row in rows} == {hook}
    for table in ("steering", "mediators"):
        assert {row["hook"] for row in read_rows(stage6 / f"{table}.csv")} == {hook}, table
    # Pairs are of trials that are read rightly in every task, of which so little training has few.
    assert {row["hook"] for row in read_rows(stage6 / "patching.csv")} <= {hook}
    before = [
        float(row["baseline"])
        for row in rows
        if row["intervention"] == "error_preserving"
        and row["measured_on"] == "direction"
        and row["metric"] == "accuracy"
    ]
    assert before
    assert before == pytest.approx([clean["direction"]] * len(before), abs=1e-5)


@pytest.mark.slow
def test_a_hook_that_a_decoder_does_not_have_ends_in_one_sentence(
    decoder, tensors, tmp_path, capsys
):
    out = tmp_path / "dictionary"
    with pytest.raises(SystemExit) as ended:
        call("train_dictionary", "--decoder", decoder, "--tensors", *tensors, "--out", out,
             "--hook", "block7", "--options", json.dumps(DICTIONARY))  # fmt: skip
    assert ended.value.code == 2
    said = capsys.readouterr().err.strip()
    assert "dictionaries.hook: expected a hook point of the decoder" in said
    assert "found 'block7'" in said and len(said.splitlines()) == 1
    assert not list(out.glob("*.csv"))


@pytest.mark.slow
@pytest.mark.parametrize("hook", ["latents", "queries"])
def test_units_of_either_decoder_are_explained_and_those_at_the_latents_traced(
    decoder, tensors, hook, tmp_path
):
    stage4, stage5, stage6 = (tmp_path / name for name in ("dictionary", "units", "explained"))
    call("train_dictionary", "--decoder", decoder, "--tensors", *tensors, "--out", stage4,
         "--hook", hook, "--options", json.dumps(DICTIONARY))  # fmt: skip
    call("measure_units", "--dictionary", stage4, "--out", stage5, "--cohort", "all",
         "--level", "all", "--options", json.dumps(UNITS))  # fmt: skip
    few = json.dumps({"checked": 1, "deleted": [1, 2], "sets": 9, "trials": 2, "nodes": 8})
    call("explain_units", "--decoder", decoder, "--dictionary", stage4,
         "--units", stage5 / "units.csv", "--tuning", stage5 / "tuning.csv",
         "--tensors", *tensors, "--out", stage6, "--options", few)  # fmt: skip
    rewriting = read_rows(stage6 / "rewriting.csv")
    agreement = {
        (row["condition"], row["task"]): float(row["value"])
        for row in rewriting
        if row["metric"] == "agreement"
    }
    assert agreement["clean", "direction"] == 1
    assert len(agreement) == 7 * 2
    described = read_rows(stage6 / "descriptions.csv")
    assert {row["unit"] for row in described} == {
        row["unit"] for row in read_rows(stage5 / "units.csv")
    }
    cells = read_rows(stage6 / "attribution.csv")
    assert {row["session"] for row in cells} == (set(SESSIONS) if hook == "latents" else set())
    assert all(int(row["cell_specimen_id"]) > 0 for row in cells)
    notes = json.loads((stage6 / "attribution.json").read_text())["runs"]
    assert all(note["completeness_error_median"] < 0.1 for note in notes)
    assert len(notes) == (hook == "latents")
