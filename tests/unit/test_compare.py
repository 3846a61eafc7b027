"""Laws of the comparison of decoders with baselines: pairing, choice, intervals, cohorts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from glassbox.decoders.cohort_marks import References
from glassbox.decoders.compare import compare_decoders
from glassbox.decoders.marks import ensemble_of, marks_of
from glassbox.decoders.metrics import r2
from glassbox.decoders.predictions import write_predictions
from glassbox.decoders.resampling import interval, over_cohort, trial_weights
from glassbox.errors import UserError
from glassbox.figures.assemble import assemble_tables
from glassbox.tables import read_rows
from glassbox.tensors.splits import SELECTION, TEST
from made_predictions import CLASSES, answers_of, prediction, value_prediction, write_cohort

sys.path.insert(0, str(Path(__file__).parents[2] / "workflow" / "scripts"))

WEAK, STRONG = "nearest_neighbours", "logistic_regression"


def baselines(session="s", folds=(0,), weak=0.5, strong=0.75, **changes):
    return [
        prediction(session=session, model=model, seed=None, fold=fold, good=good, **changes)
        for fold in folds
        for model, good in ((WEAK, weak), (STRONG, strong))
    ]


def compared(tmp_path, decoders, references, **about):
    """Rows of comparisons and of decoding, of one cohort."""
    folder = write_cohort(tmp_path / "all", decoders, **about)
    files = []
    for session in dict.fromkeys(p.session for p in references):
        files.append(tmp_path / f"{session}.npz")
        write_predictions(files[-1], [p for p in references if p.session == session])
    made = tmp_path / "comparisons.csv", tmp_path / "summaries.csv"
    compare_decoders([folder], files, *made)
    return [sorted(read_rows(path), key=lambda row: tuple(row.values())) for path in made]


def only(rows, **wanted):
    found = [row for row in rows if wanted.items() <= row.items()]
    assert len(found) == 1, found
    return found[0]


def test_the_baseline_to_beat_is_the_best_on_selection_trials(tmp_path):
    write_predictions(tmp_path / "s.npz", baselines())
    assert References([tmp_path / "s.npz"]).chosen(("s", "direction")) == STRONG


def test_poisoned_test_trials_do_not_change_the_baseline_to_beat(tmp_path):
    poisoned = []
    for p in baselines(folds=(0, 1)):
        answers, rng = p.answers.copy(), np.random.default_rng(0)
        tested = p.part == TEST
        right = np.full(tested.sum(), p.model == WEAK)  # on test trials the weak one is perfect
        answers[tested] = answers_of(p.labels[tested], right, rng)
        poisoned.append(replace(p, answers=answers))
    write_predictions(tmp_path / "s.npz", poisoned)
    known = References([tmp_path / "s.npz"])
    assert known.chosen(("s", "direction")) == STRONG
    assert known.test["s", "direction"][WEAK].value("accuracy") == 1


def test_differences_are_of_the_same_trials(tmp_path):
    """Answers that agree trial by trial differ by nothing, however few the trials are."""
    same = [replace(p, model="identity_keyed", seed=0) for p in baselines()[1:]]
    rows, _ = compared(tmp_path, same, baselines())
    for metric in ("accuracy", "log_probability"):
        row = only(rows, session="s", seed="", baseline=STRONG, metric=metric)
        assert [float(row[c]) for c in ("difference", "ci_low", "ci_high")] == [0, 0, 0]
    against_weak = only(rows, session="s", seed="", baseline=WEAK, metric="accuracy")
    assert float(against_weak["ci_low"]) > 0


def test_the_order_of_trials_folds_and_models_in_a_file_changes_nothing(tmp_path):
    decoders = [prediction(fold=fold) for fold in (0, 1)]
    references = baselines(folds=(0, 1))
    straight = compared(tmp_path / "a", decoders, references)
    shuffled = []
    for p in references[::-1]:
        order = np.random.default_rng(0).permutation(len(p.trial))
        shuffled.append(p.only(order))
    assert compared(tmp_path / "b", decoders[::-1], shuffled) == straight


@pytest.mark.parametrize("change", ["trial", "label", "missing"])
def test_a_baseline_of_other_trials_is_refused(tmp_path, change):
    changed = baselines()
    p = changed[0]
    changed[0] = {
        "trial": replace(p, trial=p.trial + 1),
        "label": replace(p, labels=(p.labels + 1) % 4),
        "missing": p.only(np.arange(len(p.trial)) > 0),
    }[change]
    if change == "missing":
        changed[0] = p.only(p.trial != p.trial[p.part == TEST][0])
    with pytest.raises(UserError, match=f"s, direction: the trials are not those .* {WEAK}"):
        compared(tmp_path, [prediction()], changed)


def test_classes_pair_by_what_they_stand_for(tmp_path):
    """A cohort may know a class that one of its sessions lacks."""
    more = np.concatenate([[-90.0], CLASSES])
    p = prediction()
    first = np.full((len(p.labels), 1), -20.0, dtype=np.float32)
    shifted = replace(p, classes=more, labels=p.labels + 1, answers=np.hstack([first, p.answers]))
    rows, _ = compared(tmp_path, [shifted], baselines())
    plain, _ = compared(tmp_path / "plain", [p], baselines())
    of_session = dict(session="s", seed="0", metric="accuracy")
    assert only(rows, **of_session) == only(plain, **of_session)


def test_every_baseline_is_compared_and_one_of_them_is_chosen(tmp_path):
    rows, _ = compared(tmp_path, [prediction(good=0.9)], baselines())
    of_session = [r for r in rows if r["session"] == "s" and r["metric"] == "accuracy"]
    chosen = {(r["seed"], r["baseline"]): r["chosen"] for r in of_session}
    assert chosen == {("", WEAK): "false", ("", STRONG): "true", ("0", STRONG): "true"}
    row = only(of_session, seed="0")
    expected = np.mean(
        [p.answers.argmax(axis=1)[120:] == p.labels[120:] for p in (prediction(good=0.9),)]
    ) - np.mean(baselines()[1].answers.argmax(axis=1)[120:] == baselines()[1].labels[120:])
    assert float(row["difference"]) == pytest.approx(expected, abs=1e-6)
    assert row["n"] == "60"


def test_a_row_without_a_seed_is_the_mean_over_seeds(tmp_path):
    rows, summaries = compared(tmp_path, [prediction(seed=s) for s in range(3)], baselines())
    wanted = dict(session="s", model="identity_keyed", baseline=STRONG, metric="accuracy")
    by_seed = [float(only(rows, seed=str(s), **wanted)["difference"]) for s in range(3)]
    assert float(only(rows, seed="", **wanted)["difference"]) == pytest.approx(
        np.mean(by_seed), abs=1e-6
    )
    summary = only(summaries, session="", model="identity_keyed", metric="accuracy")
    right = [marks_of([prediction(seed=s)], TEST).value("accuracy") for s in range(3)]
    assert float(summary["value"]) == pytest.approx(np.mean(right), abs=1e-6)


def test_an_ensemble_is_the_mean_of_probabilities_and_needs_two_seeds(tmp_path):
    seeds = [prediction(seed=s, good=0.6) for s in range(5)]
    ensemble = ensemble_of(seeds, "e")
    mean = np.mean([np.exp(p.answers.astype(float)) for p in seeds], axis=0)
    assert np.allclose(np.exp(ensemble.answers), mean, atol=1e-6)
    _, one = compared(tmp_path / "one", seeds[:1], baselines())
    assert not [r for r in one if "ensemble" in r["model"]]
    rows, many = compared(tmp_path / "many", seeds, baselines())
    row = only(many, session="s", model="identity_keyed_ensemble", part="test", metric="accuracy")
    right = (mean.argmax(axis=1) == seeds[0].labels)[seeds[0].part == TEST]
    assert float(row["value"]) == pytest.approx(right.mean(), abs=1e-6)
    alone = only(many, session="", model="identity_keyed", metric="accuracy")
    assert float(row["value"]) > float(alone["value"])
    held = dict(model="identity_keyed_ensemble", baseline=STRONG, metric="accuracy")
    assert only(rows, session="s", **held)["chosen"] == "true"


def test_values_are_compared_by_r2(tmp_path):
    references = [value_prediction(model="ridge", seed=None, noise=0.8)]
    rows, summaries = compared(tmp_path, [value_prediction(noise=0.3)], references)
    row = only(rows, session="s", seed="0", metric="r2")
    explained = []
    for p in (value_prediction(noise=0.3), references[0]):
        tested = p.part == TEST
        explained.append(r2(p.answers[tested], p.labels[tested]))
    assert float(row["difference"]) == pytest.approx(explained[0] - explained[1], abs=1e-4)
    assert float(row["ci_low"]) > 0
    assert only(summaries, session="", model="ridge")["metric"] == "r2"


def test_a_stimulus_in_which_no_baseline_was_fitted_is_not_compared(tmp_path):
    references = [value_prediction(model="ridge", seed=None)]
    other = value_prediction(stimulus="static_gratings", noise=3.0)
    alone, _ = compared(tmp_path / "alone", [value_prediction()], references)
    rows, _ = compared(tmp_path / "both", [value_prediction(), other], references)
    assert rows == alone


def test_r2_of_resamples_is_that_of_the_metrics():
    marks = marks_of([value_prediction()], SELECTION)
    weights = trial_weights(marks.n, seed=3, resamples=5)
    expected = [r2(marks.by_metric["r2"], marks.truth, w) for w in weights]
    assert np.allclose(marks.drawn("r2", weights), expected)


def test_a_cohort_is_the_mean_over_its_sessions(tmp_path):
    names = [f"s{i}" for i in range(5)]
    decoders = [prediction(session=name, good=0.5 + 0.1 * i) for i, name in enumerate(names)]
    references = [p for name in names for p in baselines(session=name)]
    rows, summaries = compared(tmp_path, decoders, references)
    of_sessions = [
        float(r["difference"])
        for r in rows
        if r["session"] and (r["seed"], r["chosen"], r["metric"]) == ("", "true", "accuracy")
    ]
    assert len(of_sessions) == 5
    row = only(rows, session="", seed="", baseline="chosen", metric="accuracy")
    assert float(row["difference"]) == pytest.approx(np.mean(of_sessions), abs=1e-6)
    assert (row["mouse"], row["genotype"], row["n"]) == ("", "Cux2-CreERT2", "300")
    assert {r["model"] for r in summaries if r["session"] == ""} == {
        "identity_keyed",
        WEAK,
        STRONG,
    }


def test_of_a_cohort_with_held_out_mice_those_sessions_alone_count(tmp_path):
    names = ["seen", "unseen"]
    decoders = [prediction(session=name) for name in names]
    references = [p for name in names for p in baselines(session=name)]
    about = dict(level="heldout", name="all-without-0", held_out=("unseen",))
    rows, _ = compared(tmp_path, decoders, references, **about)
    assert {r["session"] for r in rows} == {"unseen", ""}


def test_both_tables_pass_their_schemas(tmp_path):
    decoders = [*(prediction(seed=s) for s in (0, 1)), *(value_prediction(seed=s) for s in (0, 1))]
    references = [*baselines(), value_prediction(model="ridge", seed=None)]
    compared(tmp_path, decoders, references)
    counts = assemble_tables(
        {
            "comparisons": [str(tmp_path / "comparisons.csv")],
            "decoding": [str(tmp_path / "summaries.csv")],
        },
        tmp_path / "tables",
    )
    assert counts["comparisons"] > 20 and counts["decoding"] > 10


def test_the_script_writes_both_tables_and_takes_lists(tmp_path):
    import compare_decoders as script

    folder = write_cohort(tmp_path / "all", [prediction()])
    write_predictions(tmp_path / "s.npz", baselines())
    (tmp_path / "list").write_text(f"{tmp_path / 's.npz'}\n")
    made = tmp_path / "c.csv", tmp_path / "d.csv"
    arguments = ["--decoders", str(folder), "--references", f"@{tmp_path / 'list'}"]
    outputs = ["--comparisons", str(made[0]), "--summaries", str(made[1])]
    assert script.main([*arguments, *outputs]) == 0
    assert all(len(read_rows(path)) > 2 for path in made)


def test_intervals_over_trials_hold_the_truth_as_often_as_they_say():
    rng, held = np.random.default_rng(0), []
    for i in range(400):
        # Right or wrong in pairs: the decoder is right in 8 of 10, the baseline in 7 of 10.
        shared = rng.random(120)
        decoder, baseline = shared < 0.8, np.where(rng.random(120) < 0.5, shared, 1 - shared) < 0.7
        drawn = trial_weights(120, i, 400)[1:] @ (decoder * 1.0 - baseline) / 120
        low, high = interval(drawn)
        held.append(low <= 0.1 <= high)
    # 400 intervals at 0.95: a standard deviation of 0.011
    assert 0.91 < np.mean(held) < 0.985


def test_intervals_over_mice_hold_the_truth_of_mice_that_were_not_seen():
    rng, held, blind = np.random.default_rng(1), [], []
    for i in range(250):
        mice = np.repeat(np.arange(10), 2)
        truth = 0.05 + (rng.normal(0, 0.06, 10)[mice] + rng.normal(0, 0.02, 20))
        trials = rng.normal(truth[:, None], 0.5, size=(20, 100))
        weights = trial_weights(100, i, 300)[1:] / 100
        drawn = (weights @ trials.T).T
        low, high = interval(over_cohort(drawn, [str(m) for m in mice], i))
        held.append(low <= 0.05 <= high)
        low, high = interval(drawn.mean(axis=0))  # over trials alone
        blind.append(low <= 0.05 <= high)
    assert 0.90 < np.mean(held) <= 0.99
    assert np.mean(blind) < 0.85


def test_sessions_of_one_mouse_are_not_taken_for_mice():
    rng = np.random.default_rng(2)
    of_mice = np.repeat(rng.normal(size=4), 8)[:, None] + np.zeros((32, 2000))
    mice = [f"m{i // 8}" for i in range(32)]
    wide = np.ptp(interval(over_cohort(of_mice, mice, 0)))
    narrow = np.ptp(interval(over_cohort(of_mice, [str(i) for i in range(32)], 0)))
    assert wide > 1.8 * narrow


def test_trials_are_drawn_inside_the_drawn_sessions():
    """Sessions that differ by the noise of their trials alone are no surer than that noise."""
    drawn = np.random.default_rng(3).normal(size=(8, 2000))
    mice = [str(i) for i in range(8)]
    low, high = interval(over_cohort(np.where(np.arange(2000) == 0, 0, drawn), mice, 0))
    assert (high - low) / (2 * 1.96) == pytest.approx(1 / np.sqrt(8), rel=0.1)


def test_with_fewer_than_three_sessions_trials_alone_are_drawn():
    drawn = np.stack([np.zeros(1000), np.ones(1000)])
    assert interval(over_cohort(drawn, ["a", "b"], 0)) == (0.5, 0.5)
    assert interval(over_cohort(np.vstack([drawn, drawn]), ["a"] * 4, 0)) == (0.0, 1.0)
