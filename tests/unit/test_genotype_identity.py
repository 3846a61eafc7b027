"""Laws of reading genotype on held-out mice beside what identity alone would give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.decoders.model import new_decoder
from glassbox.decoders.poyo_plus_options import PoyoPlusOptions
from glassbox.decoders.targets import targets_of
from glassbox.interventions.beside_identity import (
    ACCURACY,
    CHOSEN,
    SCORE,
    UNITS,
    FoldOfMice,
    beyond,
    share_above,
    swaps,
    tell,
)
from glassbox.interventions.genotype_rows import rows_of
from glassbox.interventions.identity import (
    ALL_IDENTITY,
    AREA,
    DEPTH,
    MEAN_RATE,
    SOURCES,
    SessionIdentity,
    identity_features,
    identity_of,
    unreadable,
)
from glassbox.interventions.mouse_features import MouseFeatures, by_condition
from glassbox.interventions.options import InterventionOptions
from glassbox.interventions.probe import relabelings
from tiny_trials import CLASSES
from tiny_trials import OPTIONS as TINY

LINES = np.array([0, 0, 0, 0, 1, 1, 1, 1] * 3)
FOLDS = np.repeat([0, 1, 2], 8)


def mice_of(effects: dict[str, float], seed=0, lines=LINES, shift=0.0):
    """Sources of 6 drawn features of each mouse; the first has the line's effect.

    Mice are moved by `shift` where a fold holds them out.
    """
    rng = np.random.default_rng(seed)
    values = {source: rng.normal(size=(len(lines), 6)) for source in effects}
    for source, effect in effects.items():
        values[source][:, 0] += effect * (2 * lines - 1)
    folds = []
    for fold in range(3):
        training, held_out = np.flatnonzero(fold != FOLDS), np.flatnonzero(fold == FOLDS)
        features = {
            s: MouseFeatures.of(v[training], v[held_out] + shift) for s, v in values.items()
        }
        folds.append(FoldOfMice(training, held_out, features))
    return folds


def labelings_of(most=199):
    return relabelings(LINES, FOLDS, most, np.random.default_rng(1))


def session(mouse, line="A", area="VISp", depth=175.0, rate=1.0, n_cells=50, vectors=(0.0, 1.0)):
    return SessionIdentity(
        mouse, line, np.array(vectors), np.zeros(0), np.full(4, rate), n_cells, area, depth
    )


def test_a_source_that_holds_the_line_tells_it_and_one_that_does_not_tells_nothing():
    told = tell(mice_of({UNITS: 3.0, MEAN_RATE: 0.0}), labelings_of())
    values = {s: told.values(s) for s in told.scores}
    assert values[UNITS][SCORE][0] > 0.8 and values[UNITS][ACCURACY][0] > 0.9
    assert abs(values[MEAN_RATE][SCORE][0]) < 0.5
    assert share_above(values[UNITS][SCORE][0], values[UNITS][SCORE][1:]) == 1 / 200


def test_what_separates_held_out_mice_from_training_mice_is_not_taken_for_a_line():
    here, moved = (
        tell(mice_of({UNITS: 2.0, MEAN_RATE: 0.0}, shift=s), LINES[None]) for s in (0, 9)
    )
    np.testing.assert_allclose(moved.scores[UNITS], here.scores[UNITS], atol=1e-9)


def test_a_score_knows_no_scale():
    folds = mice_of({UNITS: 1.0, MEAN_RATE: 0.0})
    told = tell(folds, LINES[None])
    scaled = {s: 0.01 * v for s, v in told.scores.items()}
    again = type(told)(scaled, told.labelings, told.chosen)
    np.testing.assert_allclose(again.of_mice(UNITS)[SCORE], told.of_mice(UNITS)[SCORE])
    right = np.where(LINES == 1, 1, -1)
    expected = np.corrcoef(told.scores[UNITS][0, :, 1], right)[0, 1]
    assert told.of_mice(UNITS)[SCORE].mean() == pytest.approx(expected)


def test_the_source_of_identity_is_chosen_without_the_held_out_mice():
    folds = mice_of({UNITS: 0.0, MEAN_RATE: 2.0, AREA: 0.0})
    told = tell(folds, LINES[None])
    assert told.chosen == (MEAN_RATE,) * 3
    np.testing.assert_array_equal(told.scores[CHOSEN], told.scores[MEAN_RATE])
    # Held-out mice of the opposite sign: MEAN_RATE reads them all wrongly, and is chosen still.
    for fold in folds:
        fold.features[MEAN_RATE].read[:] *= -1
    told = tell(folds, LINES[None])
    assert told.chosen == (MEAN_RATE,) * 3 and told.values(MEAN_RATE)[ACCURACY][0] < 0.2


def test_the_probe_is_never_chosen_as_a_source_of_identity():
    told = tell(mice_of({UNITS: 5.0, MEAN_RATE: 0.0, AREA: 0.0}), LINES[None])
    assert UNITS not in told.chosen


def test_every_relabeling_trains_and_chooses_anew():
    folds, labelings = mice_of({UNITS: 2.0, MEAN_RATE: 1.0, AREA: 1.0}), labelings_of(20)
    told = tell(folds, labelings)
    for i in (0, 7, 20):
        alone = tell(folds, labelings[i : i + 1])
        for source in (UNITS, CHOSEN):
            np.testing.assert_allclose(alone.scores[source][0], told.scores[source][i], atol=1e-12)


def test_p_is_uniform_over_relabelled_mice():
    labelings = labelings_of(999)
    told = tell(mice_of({UNITS: 1.0, MEAN_RATE: 0.5}), labelings)
    values, flips = told.values(UNITS)[SCORE], swaps(24, 199, np.random.default_rng(2))
    p = np.array([share_above(values[i], values[501:]) for i in range(1, 501)])
    assert 0.02 < (p <= 0.05).mean() < 0.09  # 0.05 expected, s.d. 0.01
    both = [beyond(told, UNITS, CHOSEN, flips, i)[SCORE][1] <= 0.05 for i in range(1, 501)]
    assert (both & (p <= 0.05)).mean() <= (p <= 0.05).mean()


def test_equal_sources_differ_by_nothing_and_a_better_one_by_its_surplus():
    flips = swaps(24, 999, np.random.default_rng(0))
    told = tell(mice_of({UNITS: 3.0, MEAN_RATE: 0.3}), LINES[None])
    assert beyond(told, UNITS, UNITS, flips)[SCORE] == (0.0, 1.0)
    difference, p = beyond(told, UNITS, MEAN_RATE, flips)[SCORE]
    assert difference > 0.3 and p < 0.01
    assert beyond(told, MEAN_RATE, UNITS, flips)[SCORE][1] > 0.9


def test_all_swaps_are_made_once_where_they_are_few():
    flips = swaps(4, 15, np.random.default_rng(0))
    assert len(np.unique(flips, axis=0)) == 15 and not (flips == 1).all(1).any()
    assert share_above(1.0, flips @ np.ones(4) / 4) == 1 / 16  # exact: one way of 16
    assert swaps(5, 15, np.random.default_rng(0)).shape == (15, 5)


def test_a_thousand_features_are_read_as_by_ridge_regression():
    rng = np.random.default_rng(3)
    training, read = rng.normal(size=(8, 40)), rng.normal(size=(3, 40))
    features = MouseFeatures.of(training, read)
    gram = features.training.mean @ features.training.mean.T
    x, y = training - training.mean(0), read - read.mean(0)
    np.testing.assert_allclose(gram, x @ x.T, atol=1e-9)
    np.testing.assert_allclose(features.read @ features.training.mean.T, y @ x.T, atol=1e-9)


def test_units_are_averaged_by_condition_and_tasks_weigh_the_same():
    values = np.arange(8.0)[:, None]
    labels = {"direction": np.array([0, 1] * 4), "temporal_frequency": np.array([0, 1, 2, -1] * 2)}
    mouse = np.repeat([0, 1], 4)
    found = by_condition(values, labels, mouse, 2)
    np.testing.assert_allclose(found[0, :2] * np.sqrt(2), [1, 2])
    np.testing.assert_allclose(found[1, 2:] * np.sqrt(3), [4, 5, 6])


def test_a_condition_that_a_mouse_was_not_shown_has_its_mean():
    mouse = np.array([0, 0, 1, 1])
    found = by_condition(np.arange(4.0)[:, None], {"t": np.array([0, 1, 0, 0])}, mouse, 2)
    np.testing.assert_allclose(found * np.sqrt(2), [[0, 1], [2.5, 2.5]])


def test_identity_holds_no_trial_and_weighs_its_sources_the_same():
    sessions = [session(f"m{i}", rate=i, n_cells=40 + i, vectors=(i, -i)) for i in range(6)]
    features = identity_features(sessions, [f"m{i}" for i in range(4)], ["m4", "m5"])
    assert set(features) == set(SOURCES) - {"session_vector"}  # this decoder gives sessions none
    assert not features[AREA].read.any() and not features[DEPTH].read.any()
    moments = features[ALL_IDENTITY].training
    assert np.trace(moments.second.mean(0)) == pytest.approx(3)  # three sources vary, 1 each


@pytest.mark.parametrize("kind", ["identity_keyed", "poyo_plus"])
def test_identity_is_all_that_a_decoder_fits_to_a_session_and_nothing_of_another(kind):
    sizes = PoyoPlusOptions(dim=8, head_dim=8, depth=1, cross_heads=2, self_heads=2)
    options = replace(TINY, decoder=kind, poyo_plus=sizes)
    classes = {task: len(values) for task, values in CLASSES.items()}
    targets = targets_of(options, tuple(CLASSES), classes)
    model = new_decoder(options, {"a": np.arange(6), "b": np.arange(10, 14)}, targets)
    model.draw(0)
    before = identity_of(model, "a", "m", "A", "VISp", 175.0)
    assert before.n_cells == 6 and len(before.session_vector) == (8 if kind == "poyo_plus" else 0)
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name in set(own) - set(model.cell_parameters("a")):
            own[name].add_(1.0)
        model.scaling("b").mean.add_(1.0)
    after = identity_of(model, "a", "m", "A", "VISp", 175.0)
    for name in ("unit_vectors", "session_vector", "rate"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    with torch.no_grad():
        for name in model.cell_parameters("a"):
            own[name].add_(1.0)
        model.scaling("a").mean.add_(1.0)
    after = identity_of(model, "a", "m", "A", "VISp", 175.0)
    moved = after.unit_vectors - before.unit_vectors
    np.testing.assert_allclose(moved, np.repeat([1, 0], len(moved) // 2), atol=1e-5)  # not spread
    np.testing.assert_allclose(after.session_vector - before.session_vector, 1, atol=1e-5)
    np.testing.assert_allclose(after.rate - before.rate, [1, 0, 0, 0], atol=1e-5)


def test_a_mouse_of_two_sessions_has_their_mean():
    sessions = [session("a", n_cells=40), session("a", n_cells=60), session("b", n_cells=50)]
    sessions += [session(name, n_cells=n) for name, n in (("c", 30), ("d", 70))]
    read = identity_features(sessions, ["c", "d"], ["a", "b"])["cell_count"].read
    np.testing.assert_allclose(read[0], read[1])


@pytest.mark.parametrize(
    ("sessions", "said"),
    [
        ([session("a"), session("b", "B")], {AREA: "the same", DEPTH: "the same"}),
        (
            [session("a"), session("b", "B"), session("c", "B", depth=275.0)],
            {AREA: "the same", DEPTH: "not estimable: A occurs at 175 µm only"},
        ),
        (
            [session("a"), session("b", "B", area="")],
            {AREA: "not estimable: no area is known of mice of B", DEPTH: "the same"},
        ),
        (
            [session(str(i), "AB"[i % 2], depth=(175.0, 275.0)[i // 2]) for i in range(4)],
            {AREA: "the same"},
        ),
    ],
)
def test_genotype_is_not_estimable_where_a_line_occurs_at_one_place_only(sessions, said):
    found = unreadable(sessions)
    assert set(found) == set(said)
    assert all(found[source].startswith(text) for source, text in said.items())


def test_rows_have_each_mouse_and_each_difference_and_a_reason_in_the_place_of_a_value():
    told = tell(mice_of({UNITS: 2.0, "latents": 2.0, MEAN_RATE: 0.0, DEPTH: 0.0}), labelings_of())
    mice = [f"m{i}" for i in range(24)]
    options = InterventionOptions(resamples=100, permutations=99)
    rows = list(rows_of(told, mice, ("A", "B"), {DEPTH: "not estimable: A"}, options, 0))
    of_depth = [r for r in rows if DEPTH in (r["source"], r.get("baseline"))]
    assert of_depth == [{"source": DEPTH, "metric": SCORE, "n": 0, "reason": "not estimable: A"}]
    for source in (UNITS, "latents", MEAN_RATE, CHOSEN):
        mine = [r for r in rows if r["source"] == source and r.get("mouse")]
        (whole,) = [
            r
            for r in rows
            if (r["source"], r["metric"]) == (source, SCORE)
            and not (r.get("mouse") or r.get("baseline"))
        ]
        assert [r["mouse"] for r in mine] == mice
        assert np.mean([r["value"] for r in mine]) == pytest.approx(whole["value"])
        assert whole["ci_low"] < whole["value"] < whole["ci_high"]
    pairs = {(r["source"], r["baseline"]) for r in rows if r.get("baseline")}
    assert pairs == {(p, b) for p in (UNITS, "latents") for b in (MEAN_RATE, CHOSEN)}
