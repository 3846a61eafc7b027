"""Laws of clamping units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.errors import UserError
from glassbox.interventions.ablation import logits_of_sets
from glassbox.interventions.options import InterventionOptions
from glassbox.interventions.steering import (
    Asked,
    asked_of,
    high_percentile,
    read_preferences,
    steer,
    steering_rows,
)
from glassbox.options import options_from
from small_run import CLASSES, clean, decoder, labels, run  # noqa: F401  (fixtures)

NAMES = {task: [str(i) for i in range(n)] for task, n in CLASSES.items()}


def steered(run, clean, labels, asked, level, strength=1.0, task="direction"):  # noqa: F811
    return steer(clean, run.suffix, labels[task], asked, level, task, strength)


def test_steering_of_strength_0_is_nothing(run, clean, labels):  # noqa: F811
    asked = [Asked(np.array([u]), u % 8, "target", False) for u in range(40)]
    found = steered(run, clean, labels, asked, high_percentile(run), strength=0.0)
    np.testing.assert_allclose(found.gain, 0, atol=1e-5)
    np.testing.assert_allclose(found.after, found.before)


def test_clamping_a_unit_to_what_it_is_changes_nothing(run, clean, labels):  # noqa: F811
    z = clean.dictionary.encode(clean.latents)
    one = replace(clean, latents=clean.latents[:1], values=clean.values[:1], units=clean.units[:1])
    asked = [Asked(np.array([u]), 0, "target", False) for u in range(40)]
    found = steer(one, run.suffix, np.array([3]), asked, z[0], "direction")
    np.testing.assert_allclose(found.gain, 0, atol=1e-5)


def test_a_clamp_is_its_formula(run, clean, decoder, labels):  # noqa: F811
    level, units = 2.5 * high_percentile(run), np.array([3, 8, 21])
    changed = clean.dictionary.encode(clean.latents)
    difference = torch.zeros_like(changed)
    difference[..., units] = level[:, units] - changed[..., units]
    after = decoder.readout(clean.latents + difference @ clean.dictionary.W_dec)["direction"]
    before = decoder.readout(clean.latents)["direction"]
    found = steered(run, clean, labels, [Asked(units, 5, "target", True)], level)
    use = (labels["direction"] != 5) & (labels["direction"] >= 0)
    gain = (after.log_softmax(-1) - before.log_softmax(-1)).numpy()[use].mean(0)
    np.testing.assert_allclose(found.gain[0], gain, atol=1e-4)
    assert found.after[0] == pytest.approx((after.argmax(-1).numpy()[use] == 5).mean())
    assert found.n[0] == use.sum() and found.said[0].sum() == use.sum()


class FirstDimensions:
    """A readout that says what stands in the latents' first dimensions."""

    tasks = ("direction",)

    def __call__(self, latents, *_):
        return {"direction": latents.mean(1)[..., :8]}


def test_a_unit_that_writes_a_class_moves_the_decoder_to_it(clean, labels):  # noqa: F811
    for value in (1, 6):
        rows = clean.dictionary.W_dec.clone()
        rows[7] = torch.eye(16)[value]
        planted = type(clean.dictionary)(16, 40, k=4)
        planted.load_state_dict(clean.dictionary.state_dict() | {"W_dec": rows})
        level = torch.full((6, 40), 1000.0)
        here = replace(clean, dictionary=planted.requires_grad_(False))
        asked = [Asked(np.array([7]), value, "target", False)]
        found = steer(here, FirstDimensions(), labels["direction"], asked, level, "direction")
        assert found.gain[0].argmax() == value
        assert found.after[0] == 1 and found.before[0] < 1


def test_the_dose_is_the_99th_percentile_on_selection_trials_in_each_latent(run):  # noqa: F811
    z = run.dictionary.encode(run.trials.in_part(1).latents)
    expected = np.quantile(z.numpy(), 0.99, axis=0, method="inverted_cdf")
    np.testing.assert_allclose(high_percentile(run).numpy(), expected)


def test_controls_are_unselective_units_with_values_drawn_at_random(run):  # noqa: F811
    alive = np.flatnonzero(run.alive)
    prefers = {"direction": {int(u): int(u) % 8 for u in alive[:9]}, "temporal_frequency": {}}
    prefers["temporal_frequency"] = {int(u): 0 for u in alive[9:12]}
    asked = asked_of(run, prefers, alive[:9], "direction", 8, 0, 0)
    alone = [a for a in asked if not a.together]
    targets = [a for a in alone if a.control == "target"]
    controls = [a for a in alone if a.control == "random"]
    assert [int(a.units[0]) for a in targets] == alive[:9].tolist()
    assert all(a.value == prefers["direction"][int(a.units[0])] for a in targets)
    assert len(controls) == min(9, len(alive) - 12)
    assert not {int(a.units[0]) for a in controls} & set(alive[:12].tolist())
    together = [a for a in asked if a.together and a.control == "target"]
    assert sorted(u for a in together for u in a.units) == alive[:9].tolist()
    few = asked_of(run, prefers, alive[:9], "direction", 8, 2, 0)
    assert [int(a.units[0]) for a in few if not a.together][:2] == alive[:2].tolist()


def test_rows_name_what_was_asked_and_moved(run):  # noqa: F811
    alive = np.flatnonzero(run.alive)
    prefers = {"direction": {int(u): 2 for u in alive[:5]}, "temporal_frequency": {}}
    ranked = {"direction": alive[:5], "temporal_frequency": alive[:0]}
    test = run.trials.in_part(2)
    rows = list(steering_rows({}, run, test, prefers, ranked, NAMES, (1.0, 2.0), 0, 0))
    targets = [r for r in rows if r["control"] == "target"]
    assert len(targets) == 2 * (5 + 1)
    for row in rows:
        assert row["moved"] == (row["moved_to"] == row["asked"])
        assert row["n"] == sum(
            label not in (-1, int(row["asked"])) for label in test.labels["direction"]
        )


def test_preferences_are_of_selective_units_with_a_known_value(tmp_path):
    path = tmp_path / "units.csv"
    path.write_text(
        "seed,fold,unit,variable,selective,preferred\n0,1,7,direction,true,3\n"
        "0,1,8,direction,false,3\n0,1,9,genotype,true,Cux2\n0,1,9,direction,true,99\n"
    )
    found = read_preferences(path, NAMES)
    assert found == {(0, 1): {"direction": {7: 3}, "temporal_frequency": {}}}
    path.write_text("seed,fold,unit\nx,1,7\n")
    with pytest.raises(UserError, match=r"units.csv, line 2"):
        read_preferences(path, NAMES)


def test_a_dose_of_0_is_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"interventions.steering_doses: expected .* above 0"):
        options_from(InterventionOptions, {"steering_doses": [0.0, 1.0]}, "interventions")


def test_reading_a_clamp_does_not_depend_on_the_path(run, clean):  # noqa: F811
    level = high_percentile(run)
    clamped = replace(clean, mean=level)
    sets = np.arange(12)[:, None]
    whole = {}
    for trials, of_sets, logits in logits_of_sets(
        clamped, run.suffix, sets, "error_preserving", "mean"
    ):
        whole[trials.start, of_sets.start] = logits["direction"]
    shown = clean.latents[:, :, None] + 0
    z = clean.dictionary.encode(clean.latents)
    shown = shown + ((level - z)[..., :12, None] * clean.dictionary.W_dec[:12])
    expected = run.suffix(shown)["direction"]
    torch.testing.assert_close(torch.cat(list(whole.values())), expected, rtol=0, atol=1e-4)
