"""Laws of choosing the units that are taken away."""

from __future__ import annotations

import numpy as np
import pytest
from glassbox.dictionaries.activations import HookTrials
from glassbox.errors import UserError
from glassbox.interventions.measure import say
from glassbox.interventions.options import InterventionOptions
from glassbox.interventions.plan import doses_of
from glassbox.interventions.ranking import (
    Candidates,
    net_effect,
    rank_units,
    read_candidates,
    single_unit_drops,
)
from glassbox.interventions.runs import Run, capped
from glassbox.options import options_from
from small_run import CLASSES, NOTHING, clean, decoder, labels, run  # noqa: F401  (fixtures)

BY_EFFECT = InterventionOptions(ranking="effect", max_selection_trials=0)


def test_doses_stop_at_what_is_available():
    assert doses_of((1, 2, 4, 8), 5) == (1, 2, 4, 5)
    assert doses_of((1, 2, 4, 8), 8) == (1, 2, 4, 8)
    assert doses_of((1, 2, 4, 8), 100) == (1, 2, 4, 8)
    assert doses_of((1, 2, 4, 8), 0) == ()


def test_net_effect_is_the_drop_less_the_mean_drop_of_the_others():
    drop = {"a": np.array([1.0, 2.0]), "b": np.array([0.5, 0.0]), "c": np.array([0.1, 4.0])}
    np.testing.assert_allclose(net_effect(drop, "a"), [0.7, 0.0])


def test_units_are_ranked_on_selection_trials_alone(run):  # noqa: F811
    candidates = Candidates(
        {task: np.arange(40) for task in CLASSES}, {task: np.ones(40) for task in CLASSES}
    )

    def ranked(trials):
        changed = Run(**{**run.__dict__, "trials": trials})
        rng = np.random.default_rng(0)
        return rank_units(changed, candidates, BY_EFFECT, rng).target["direction"]

    first = ranked(run.trials)
    moved = {k: v.copy() for k, v in run.trials.labels.items()}
    outside = run.trials.part != 1
    for label in moved.values():
        label[outside] = (label[outside] + 1) % 5
    other = HookTrials(**{**run.trials.__dict__, "labels": moved})
    assert np.array_equal(ranked(other), first)
    for label in moved.values():
        label[~outside] = (label[~outside] + 1) % 5
    assert not np.array_equal(ranked(other), first)


def test_the_first_unit_by_effect_costs_its_variable_most(run):  # noqa: F811
    alive = np.flatnonzero(run.alive)
    candidates = Candidates({task: alive for task in CLASSES}, {t: np.ones(40) for t in CLASSES})
    first = rank_units(run, candidates, BY_EFFECT, np.random.default_rng(0)).target
    selection = run.trials.in_part(1)
    clean = run.clean_pass(selection)  # noqa: F811
    argument = (clean, run.suffix, selection.labels)
    before = say(*argument, NOTHING, "error_preserving", "zero").log_probability
    after = say(*argument, alive[:, None], "error_preserving", "zero").log_probability
    drop = {task: np.nanmean(before[task] - after[task], axis=0) for task in CLASSES}
    for task in CLASSES:
        assert first[task][0] == alive[np.argmax(net_effect(drop, task))]


@pytest.mark.parametrize("power", [0.0, 0.75])
def test_efficiency_is_the_effect_over_a_power_of_the_energy(run, power):  # noqa: F811
    alive = np.flatnonzero(run.alive)
    candidates = Candidates({task: alive for task in CLASSES}, {t: np.ones(40) for t in CLASSES})
    options = InterventionOptions(energy_power=power, max_selection_trials=0)
    order = rank_units(run, candidates, options, np.random.default_rng(0)).target["direction"]
    drop, _ = single_unit_drops(run, alive, np.random.default_rng(0), 0, 0)
    score = np.full(40, -np.inf)
    score[alive] = net_effect(drop, "direction") / run.energy[alive] ** power
    assert (np.diff(score[order]) <= 1e-12).all()


def test_selective_units_are_read_by_seed_fold_and_variable(tmp_path):
    header = "seed,fold,unit,variable,selective,effect_size\n"
    path = tmp_path / "units.csv"
    path.write_text(
        header + "0,1,7,direction,true,0.5\n0,1,3,direction,true,0.2\n0,1,4,direction,false,0.1\n"
        "0,1,4,temporal_frequency,true,0.3\n0,1,4,genotype,true,0.3\n"
    )
    found = read_candidates(path, tuple(CLASSES))
    assert list(found) == [(0, 1)]
    assert found[0, 1].units["direction"].tolist() == [3, 7]
    assert found[0, 1].effect_size["direction"].tolist() == [0.2, 0.5]
    path.write_text(header + "0,1,seven,direction,true,0.5\n")
    with pytest.raises(UserError, match=r"units.csv, line 2"):
        read_candidates(path, tuple(CLASSES))


def test_a_cap_takes_trials_evenly_from_the_sessions(run):  # noqa: F811
    few = capped(run.trials, 7, "seed")
    assert len(few) == 7
    assert sorted(np.bincount(few.session_index)) == [3, 4]
    assert np.array_equal(few.trial_index, capped(run.trials, 7, "seed").trial_index)
    assert len(capped(run.trials, 0, "seed")) == 30


def test_fewer_than_200_controls_are_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"interventions.n_controls: expected at least 200"):
        options_from(InterventionOptions, {"n_controls": 50}, "interventions")
