"""Laws of fitting a trained decoder to few trials of a new mouse."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from glassbox.decoders.few_trials import ALONE, COLUMNS, rows_of_few_trials, with_few_trials
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.train import CohortName, train_cohort
from glassbox.tensors.splits import SELECTION, TEST, TRAIN
from tiny_trials import CLASSES, OPTIONS, tiny_cohort, tiny_session

TASKS = tuple(CLASSES)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    """A decoder of two mice, trained long enough to have learned what it is asked."""
    out = tmp_path_factory.mktemp("few") / "decoders"
    options = replace(OPTIONS, epochs=40, patience=40, unit_epochs=10)
    train_cohort(
        CohortName("all-without-0", "heldout"), tiny_cohort(("a", "b")), options, out, None
    )
    return FittedDecoder.load(out, 0, 0)


def test_each_condition_gives_at_most_n_trials_and_those_of_fewer_are_among_those_of_more():
    data = tiny_session("c", n_trials=120)
    kept = {n: with_few_trials(data, 0, n, TASKS, 0).in_part(0, TRAIN) for n in (1, 2, 99)}
    for n, places in kept.items():
        conditions = zip(*(data.labels[task][places] for task in TASKS), strict=True)
        assert max(Counter(conditions).values()) <= n
    assert set(kept[1]) < set(kept[2]) < set(kept[99])
    assert kept[99].tolist() == data.in_part(0, TRAIN).tolist()


def test_selection_and_test_trials_stay_what_they_are():
    data = tiny_session("c")
    few = with_few_trials(data, 0, 1, TASKS, 0)
    for part in (SELECTION, TEST):
        assert few.in_part(0, part).tolist() == data.in_part(0, part).tolist()


def test_no_selection_trial_stops_or_chooses(decoder):
    data = tiny_session("c")
    labels = {task: values.copy() for task, values in data.labels.items()}
    for values in labels.values():
        values[data.in_part(0, SELECTION)] = 0
    poisoned = replace(data, labels=labels)
    assert list(rows_of_few_trials(decoder, data, (2,))) == list(
        rows_of_few_trials(decoder, poisoned, (2,))
    )


def test_the_table_has_both_models_for_each_task_and_number(decoder):
    rows = list(rows_of_few_trials(decoder, tiny_session("c"), (1, 3)))
    assert {row["model"] for row in rows} == {"identity_keyed", ALONE}
    assert len(rows) == 2 * 2 * 2
    for row in rows:
        assert set(row) == set(COLUMNS)
        assert row["ci_low"] <= row["value"] <= row["ci_high"] and row["n"] == 12


def test_more_trials_of_a_planted_session_decode_better(decoder):
    data = tiny_session("c", n_cells=12, n_trials=400)
    noise = np.random.default_rng(0).normal(size=data.windows.shape[:2])  # one draw a trial
    windows = data.windows + 2 * noise[:, :, None].astype(np.float32)
    rows = list(rows_of_few_trials(decoder, replace(data, windows=windows), (1, 20)))
    found = {
        (row["model"], row["trials_per_condition"]): row["value"]
        for row in rows
        if row["task"] == "direction"
    }
    for model in ("identity_keyed", ALONE):
        assert found[model, 20] > found[model, 1] + 0.05


def test_the_figure_draws_the_mean_over_mice_and_says_so_where_there_are_none(decoder, tmp_path):
    from glassbox.figures import few_trials
    from glassbox.figures.options import FiguresOptions
    from glassbox.figures.output import read_numbers, write_figure
    from glassbox.tables import write_rows

    data = [tiny_session(name) for name in "cde"]
    rows = [row for its in data for row in rows_of_few_trials(decoder, its, (1, 2))]
    write_rows(tmp_path / "rows.csv", COLUMNS, rows)
    options = FiguresOptions(dpi=60, resamples=100)
    for tables in ([tmp_path / "rows.csv"], []):
        paths = [tmp_path / f"figure{len(tables)}.{kind}" for kind in ("pdf", "png", "csv")]
        made = few_trials.numbers(few_trials.read(tables), options)
        write_figure("few_trials", made, few_trials.draw, *paths, options)
        assert paths[1].stat().st_size > 1000
    numbers = read_numbers("few_trials", tmp_path / "figure1.csv")
    drawn = numbers[(numbers.kind == "mean") & (numbers.panel == "direction")]
    for row in drawn.itertuples():
        its = [
            r["value"]
            for r in rows
            if (r["task"], r["model"], r["trials_per_condition"])
            == ("direction", row.model, row.place)
        ]
        assert row.value == pytest.approx(np.mean(its), abs=1e-5) and row.n == 3
