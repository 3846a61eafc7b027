"""Laws of taking units away."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.targets import targets_of
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.splice import scored
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.errors import UserError
from glassbox.interventions.ablation import (
    ABLATIONS,
    KEEPING,
    RESAMPLE,
    CleanPass,
    ablated,
    as_mask,
    logits_of_sets,
)
from glassbox.interventions.donors import donors_of
from glassbox.interventions.effects import effects_of
from glassbox.interventions.measure import say
from glassbox.interventions.options import InterventionOptions
from glassbox.interventions.patterns import patterns_of
from glassbox.interventions.plan import DosePlan, doses_of
from glassbox.interventions.ranking import (
    Candidates,
    net_effect,
    rank_units,
    read_candidates,
    single_unit_drops,
)
from glassbox.interventions.read_space import SetReader
from glassbox.interventions.rows import ablation_rows, against_controls, confusion_rows
from glassbox.interventions.runs import Run, capped
from glassbox.interventions.suffix import Suffix
from glassbox.options import options_from
from glassbox.statistics import bootstrap_weights

CLASSES = {"direction": 8, "temporal_frequency": 5}
NOTHING = np.zeros((1, 0), dtype=np.int64)
BY_EFFECT = InterventionOptions(ranking="effect", max_selection_trials=0)
EVERY = (*ABLATIONS, RESAMPLE, *KEEPING)


@pytest.fixture(scope="module")
def decoder():
    options = DecoderOptions(dim=16, latents=6, heads=2)
    targets = targets_of(options, tuple(CLASSES), CLASSES)
    model = IdentityKeyedDecoder(options, {"a": np.arange(10)}, targets)
    model.draw(0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model.task_query.mul_(100)  # an attention that is far from even
        model.norm_latents.weight.copy_(0.5 + torch.rand(16, generator=generator))
        model.norm_latents.bias.copy_(torch.randn(16, generator=generator))
        model.task_value.bias.copy_(torch.randn(16, generator=generator))
        for layer in model.answers:
            layer.weight.mul_(5)
            layer.bias.copy_(torch.randn(layer.bias.shape, generator=generator))
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def clean(decoder):
    generator = torch.Generator().manual_seed(1)
    latents = 2 * torch.randn(30, 6, 16, generator=generator) + 1
    dictionary = TopKDictionary(16, 40, k=4)
    dictionary.initialise(latents.flatten(0, 1), generator)
    dictionary = dictionary.fold(torch.zeros(16), 1.7).requires_grad_(False)
    made = CleanPass.of(dictionary, latents, dictionary.encode(latents[:10]).mean(0))
    return made.with_donors(made, np.roll(np.arange(30), 7))


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(0)
    made = {task: rng.integers(n, size=30) for task, n in CLASSES.items()}
    made["direction"][3] = -1  # a trial without a class
    return made


@pytest.fixture(scope="module")
def run(decoder, clean, labels):
    z = clean.dictionary.encode(clean.latents)
    trials = HookTrials(
        clean.latents,
        np.repeat([0, 1, 2], 10).astype(np.int8),
        np.tile([0, 1], 15),
        np.arange(30),
        np.zeros(30, dtype=np.int32),
        np.zeros(30, dtype=bool),
        labels,
    )
    return Run(
        0,
        0,
        trials,
        clean.dictionary,
        Suffix(decoder, decoder.tasks),
        z.square().mean((0, 1)).numpy().astype(float),
        (z > 1e-3).double().mean((0, 1)).numpy(),
        clean.mean,
        z.mean(1).numpy(),
    )


def test_the_batched_suffix_equals_the_decoders_readout(decoder, clean):
    expected = decoder.double().readout(clean.latents.double())
    exact = Suffix(decoder, decoder.tasks)(clean.latents.double().unsqueeze(2))
    decoder.float()
    single = Suffix(decoder, decoder.tasks)(clean.latents.unsqueeze(2))
    for task, logits in expected.items():
        torch.testing.assert_close(exact[task][:, 0], logits, rtol=0, atol=1e-12)
        torch.testing.assert_close(single[task][:, 0].double(), logits, rtol=0, atol=2e-5)


@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_error_preserving_ablation_of_no_unit_changes_no_bit(clean, ablation):
    mask = as_mask(NOTHING, clean.dictionary.width)
    after = ablated(clean, clean.latents, mask, ablation)
    assert torch.equal(after[:, :, 0], clean.latents)


def test_splicing_without_ablation_is_the_reconstruction(clean):
    mask = as_mask(NOTHING, clean.dictionary.width)
    after = ablated(clean, clean.reconstruction(), mask, "zero")
    assert torch.equal(after[:, :, 0], clean.dictionary(clean.latents))


@pytest.mark.parametrize("ablation", EVERY)
@pytest.mark.parametrize("intervention", ["spliced", "error_preserving"])
def test_ablation_is_its_formula(clean, intervention, ablation):
    d, x = clean.dictionary, clean.latents
    sets = np.array([[0, 5, 9], [1, 2, 3]])
    base = x if intervention == "error_preserving" else clean.reconstruction()
    after = ablated(clean, base, as_mask(sets, d.width), ablation)
    z = d.encode(x)
    for place, units in enumerate(sets):
        changed = z.clone()
        gone = np.setdiff1d(np.arange(d.width), units) if ablation in KEEPING else units
        donor = z[np.roll(np.arange(30), 7)]
        put = {"zero": torch.zeros_like(z), "mean": clean.mean.expand_as(z), RESAMPLE: donor}
        changed[..., gone] = put[ablation.removeprefix("keep_")][..., gone]
        expected = d.decode(changed) if intervention == "spliced" else x + (changed - z) @ d.W_dec
        torch.testing.assert_close(after[:, :, place], expected, rtol=0, atol=1e-5)


def test_without_ablation_the_decoder_reads_the_latents_or_their_reconstruction(
    decoder, clean, labels
):
    for intervention, latents in (
        ("error_preserving", clean.latents),
        ("spliced", clean.reconstruction()),
    ):
        said = say(clean, Suffix(decoder, decoder.tasks), labels, NOTHING, intervention, "zero")
        for task, logits in decoder.readout(latents).items():
            expected = scored(logits, labels[task])[1]
            np.testing.assert_allclose(said.log_probability[task][:, 0], expected, atol=2e-5)


def test_half_the_strength_is_half_the_change(clean):
    mask = as_mask(np.array([[0, 5, 9, 20, 30]]), clean.dictionary.width)
    whole = ablated(clean, clean.latents, mask, "mean") - clean.latents.unsqueeze(2)
    half = ablated(clean, clean.latents, mask, "mean", 0.5) - clean.latents.unsqueeze(2)
    torch.testing.assert_close(half, whole / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_blocks_of_trials_and_sets_change_nothing(decoder, clean, ablation, monkeypatch):
    sets = np.random.default_rng(0).permuted(np.tile(np.arange(40), (70, 1)), axis=1)[:, :5]

    def gathered():
        logits = torch.zeros(30, 70, 8)
        for trials, of_sets, part in logits_of_sets(
            clean, Suffix(decoder, decoder.tasks), sets, "error_preserving", ablation
        ):
            logits[trials, of_sets] = part["direction"]
        return logits

    whole = gathered()
    monkeypatch.setattr("glassbox.interventions.read_space.ROWS_AT_ONCE", 70)
    monkeypatch.setattr("glassbox.interventions.read_space.SETS_AT_ONCE", 23)
    monkeypatch.setattr("glassbox.interventions.read_space.SETS_BY_STATE", 29)
    monkeypatch.setattr("glassbox.interventions.read_space.ANSWERS_BY_STATE", 90)
    monkeypatch.setattr("glassbox.interventions.read_space.ANSWERS_AT_ONCE", 60)
    monkeypatch.setattr("glassbox.interventions.read_space.TRIALS_PREPARED", 11)
    monkeypatch.setattr("glassbox.interventions.read_space.ROWS_PREPARED", 5)
    torch.testing.assert_close(gathered(), whole, rtol=0, atol=1e-5)


class Explicit:
    """The same suffix, to which the latents of every set are shown."""

    def __init__(self, suffix):
        self.suffix = suffix

    def __call__(self, *given):
        return self.suffix(*given)


def read_and_shown(clean, suffix, intervention, ablation, strength=1.0):
    """Logits of 150 sets by task, as they are read and of the latents that are left."""
    sets = np.random.default_rng(0).permuted(np.tile(np.arange(40), (150, 1)), axis=1)[:, :7]
    found = []
    for kind in (suffix, Explicit(suffix)):
        logits = {task: torch.full((30, 150, n), torch.nan) for task, n in CLASSES.items()}
        blocks = logits_of_sets(clean, kind, sets, intervention, ablation, strength)
        for trials, of_sets, part in blocks:
            for task in CLASSES:
                logits[task][trials, of_sets] = part[task]
        found.append(logits)
    return found


@pytest.mark.parametrize("ablation", EVERY)
@pytest.mark.parametrize("intervention", ["spliced", "error_preserving"])
@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_reading_sets_equals_reading_the_latents_that_they_leave(
    decoder, clean, intervention, ablation, strength
):
    suffix = Suffix(decoder, decoder.tasks)
    read, shown = read_and_shown(clean, suffix, intervention, ablation, strength)
    for task in CLASSES:
        assert shown[task].std() > 0.1
        torch.testing.assert_close(read[task], shown[task], rtol=0, atol=1e-4)


def test_attention_too_sharp_for_sums_over_states_is_read_set_by_set(decoder, clean, monkeypatch):
    suffix = Suffix(decoder, decoder.tasks)
    suffix.fold = suffix.fold.clone()
    suffix.fold[:, : len(CLASSES) * suffix.heads] *= 200
    by_state, answers = SetReader._sums_of_states, []

    def noted(*given):
        answers.append(by_state(*given))
        return answers[-1]

    monkeypatch.setattr(SetReader, "_sums_of_states", noted)
    read, shown = read_and_shown(clean, suffix, "error_preserving", "zero")
    assert any(answer is None for answer in answers)
    for task in CLASSES:
        right = (read[task] - shown[task]).abs() < 0.01  # a tie of two scores may tip over
        assert right.float().mean() > 0.99 and read[task].isfinite().all()


@pytest.mark.parametrize("k", [3, 20, 50])
def test_states_tell_which_units_of_a_row_each_set_takes(k):
    rng = np.random.default_rng(0)
    units = torch.from_numpy(np.stack([rng.choice(60, k, replace=False) for _ in range(9)]))
    sets = [rng.choice(60, n, replace=False) for n in (0, 1, 2, 5, 30, 60) for _ in range(8)]
    masks = as_mask(sets, 60)
    patterns = patterns_of(units, masks)
    found = np.full((9, k, len(sets)), -1)
    for rows, n_states in patterns.blocks(100):
        assert (patterns.counts[rows] <= n_states).all()
        taken = patterns.taken(rows, n_states, k).numpy()
        for row, of_row in zip(rows, taken, strict=True):
            found[row] = of_row[:, patterns.rank[row]]
            assert (
                len(np.unique(of_row[:, : patterns.counts[row]], axis=1).T) == patterns.counts[row]
            )
    assert np.array_equal(found, masks[units].numpy())


@pytest.mark.parametrize("ablation", KEEPING)
def test_keeping_all_units_changes_no_bit(clean, ablation):
    width = clean.dictionary.width
    everything = as_mask(np.arange(width)[None], width)
    for base in (clean.latents, clean.reconstruction()):
        after = ablated(clean, base, everything, ablation)
        assert torch.equal(after[:, :, 0], base)


def test_keeping_no_unit_leaves_the_bias(clean):
    after = ablated(clean, clean.reconstruction(), as_mask(NOTHING, 40), "keep_zero")
    bias = clean.dictionary.b_dec.expand_as(clean.latents)
    torch.testing.assert_close(after[:, :, 0], bias, rtol=0, atol=1e-5)


def test_resampling_from_itself_changes_nothing(clean):
    own = clean.with_donors(clean, np.full(30, -1))
    everything = as_mask(np.arange(40)[None], 40)
    after = ablated(own, clean.latents, everything, RESAMPLE)[:, :, 0]
    torch.testing.assert_close(after, clean.latents, rtol=0, atol=1e-5)


def test_resampling_all_units_is_the_donors_reconstruction(clean):
    after = ablated(clean, clean.reconstruction(), as_mask(np.arange(40)[None], 40), RESAMPLE)
    expected = clean.reconstruction()[np.roll(np.arange(30), 7)]
    torch.testing.assert_close(after[:, :, 0], expected, rtol=0, atol=1e-5)


def test_donors_agree_on_the_other_variables_and_are_of_the_same_session(run):
    trials = run.trials
    for kind in ("nearest", "agreeing", "differing"):
        found = donors_of(trials, trials, "direction", np.random.default_rng(0), kind)
        has = np.flatnonzero(found >= 0)
        assert len(has) > 10 and (found[has] != has).all()
        assert np.array_equal(trials.session_index[found[has]], trials.session_index[has])
        other, own = (trials.labels[t] for t in ("temporal_frequency", "direction"))
        agreeing = (other[found[has]] == other[has]).sum()
        assert agreeing >= len(has) - 1 if kind != "differing" else agreeing == 0
        if kind != "nearest":
            assert (own[found[has]] != own[has]).all()


def test_where_none_agrees_on_all_a_resampled_trial_takes_the_nearest_and_a_patched_one_none(run):
    alone = {task: label.copy() for task, label in run.trials.labels.items()}
    alone["temporal_frequency"][0] = 77
    trials = HookTrials(**{**run.trials.__dict__, "labels": alone})
    rng = np.random.default_rng(0)
    assert donors_of(trials, trials, "direction", rng)[0] >= 0
    assert donors_of(trials, trials, "direction", rng, "agreeing")[0] == -1


def test_scores_leave_out_trials_without_a_class():
    logits = torch.tensor([[[0.0, 2.0]], [[3.0, 0.0]], [[0.0, 1.0]]])
    correct, probable, said = scored(logits, np.array([1, 1, -1]))
    assert correct[:, 0].tolist()[:2] == [1, 0] and np.isnan(correct[2, 0])
    assert probable[0, 0] == pytest.approx(-np.log(1 + np.exp(-2)))
    assert np.isnan(probable[2, 0])
    assert said[:, 0].tolist() == [1, 0, 1]


def test_doses_stop_at_what_is_available():
    assert doses_of((1, 2, 4, 8), 5) == (1, 2, 4, 5)
    assert doses_of((1, 2, 4, 8), 8) == (1, 2, 4, 8)
    assert doses_of((1, 2, 4, 8), 100) == (1, 2, 4, 8)
    assert doses_of((1, 2, 4, 8), 0) == ()


def test_net_effect_is_the_drop_less_the_mean_drop_of_the_others():
    drop = {"a": np.array([1.0, 2.0]), "b": np.array([0.5, 0.0]), "c": np.array([0.1, 4.0])}
    np.testing.assert_allclose(net_effect(drop, "a"), [0.7, 0.0])


def test_units_are_ranked_on_selection_trials_alone(run):
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


def test_the_first_unit_by_effect_costs_its_variable_most(run, labels):
    alive = np.flatnonzero(run.alive)
    candidates = Candidates({task: alive for task in CLASSES}, {t: np.ones(40) for t in CLASSES})
    first = rank_units(run, candidates, BY_EFFECT, np.random.default_rng(0)).target
    selection = run.trials.in_part(1)
    clean = run.clean_pass(selection)
    argument = (clean, run.suffix, selection.labels)
    before = say(*argument, NOTHING, "error_preserving", "zero").log_probability
    after = say(*argument, alive[:, None], "error_preserving", "zero").log_probability
    drop = {task: np.nanmean(before[task] - after[task], axis=0) for task in CLASSES}
    for task in CLASSES:
        assert first[task][0] == alive[np.argmax(net_effect(drop, task))]


@pytest.mark.parametrize("power", [0.0, 0.75])
def test_efficiency_is_the_effect_over_a_power_of_the_energy(run, power):
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


def test_a_cap_takes_trials_evenly_from_the_sessions(run):
    few = capped(run.trials, 7, "seed")
    assert len(few) == 7
    assert sorted(np.bincount(few.session_index)) == [3, 4]
    assert np.array_equal(few.trial_index, capped(run.trials, 7, "seed").trial_index)
    assert len(capped(run.trials, 0, "seed")) == 30


def made_effects(run, folds=1, condition=("error_preserving", "zero")):
    plan = DosePlan(
        2,
        {
            ("target", "direction"): np.array([0, 1]),
            ("target", "temporal_frequency"): np.array([2, 3]),
            ("top_energy", ""): np.array([4, 5]),
        },
        {
            "direction": np.array([[6, 7], [8, 9], [10, 11]]),
            "temporal_frequency": np.array([[6, 7]]),
        },
    )
    fold = (run, run.trials.in_part(2), [plan])
    return effects_of([fold] * folds, *condition, 3)


def test_a_target_with_too_few_matched_sets_has_no_match(run):
    effects = made_effects(run)
    variables = {variable for _, variable, _, _ in effects.matched_drop}
    assert variables == {"direction"}
    doses = {"direction": (2,), "temporal_frequency": (2,)}
    rows = list(ablation_rows({}, effects, doses, bootstrap_weights(10, 0, 200), True))
    for row in rows:
        if row["control"] == "target" and row["selected_for"] == "temporal_frequency":
            assert row["n_controls"] == 0 and "p" not in row
        if row["control"] == "target" and row["selected_for"] == "direction":
            assert row["n_controls"] == 3 and row["p"] >= 1 / 4


def test_rows_are_the_full_matrix_with_drops_that_add_up(run, labels):
    effects = made_effects(run)
    doses = {"direction": (2,), "temporal_frequency": (2,)}
    rows = list(ablation_rows({}, effects, doses, bootstrap_weights(10, 0, 200), True))
    targets = [r for r in rows if r["control"] == "target"]
    assert len(targets) == 2 * 2 * 2  # variables × variables × metrics
    for row in rows:
        if "value" in row:
            assert row["value"] == pytest.approx(row["baseline"] - row["drop"])
    by = {(r["selected_for"], r["measured_on"], r["metric"]): r for r in targets}
    own = by["direction", "direction", "accuracy"]
    other = by["direction", "temporal_frequency", "accuracy"]
    assert own["selectivity"] == pytest.approx(own["drop"] - other["drop"])
    crossed = next(
        r
        for r in rows
        if r["control"] == "other_variable"
        and (r["selected_for"], r["measured_on"], r["metric"]) == ("direction",) * 2 + ("accuracy",)
    )
    assert crossed["drop"] == by["temporal_frequency", "direction", "accuracy"]["drop"]


def test_folds_are_pooled_over_trials_and_matched_sets_with_them(run):
    one, two = made_effects(run), made_effects(run, folds=2)
    for key, drop in one.drop.items():
        assert len(two.drop[key]) == 2 * len(drop)
    for key, drops in one.matched_drop.items():
        np.testing.assert_allclose(two.matched_drop[key], drops)


def test_a_matched_drop_is_what_its_set_costs(run):
    effects = made_effects(run)
    test = run.trials.in_part(2)
    clean = run.clean_pass(test)
    after = say(clean, run.suffix, test.labels, np.array([[8, 9]]), "error_preserving", "zero")
    before = effects.before["direction", "log_probability"]
    expected = np.nanmean(before - after.log_probability["direction"][:, 0])
    found = effects.matched_drop[2, "direction", "direction", "log_probability"][1]
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("ablation", EVERY)
@pytest.mark.parametrize("held", [1, 5, 4096])
def test_doses_read_together_say_what_each_says_alone(run, ablation, held, monkeypatch):
    monkeypatch.setattr("glassbox.interventions.effects.SETS_HELD", held)
    rng = np.random.default_rng(0)
    plans = [
        DosePlan(
            n,
            {("target", "direction"): np.arange(n), ("top_energy", ""): np.arange(n) + 9},
            {"direction": np.stack([rng.choice(20, n, replace=False) for _ in range(3)])},
        )
        for n in (1, 2, 5)
    ]
    test = run.trials.in_part(2)
    how = "error_preserving", ablation, 3
    whole = effects_of([(run, test, plans)], *how)
    for plan in plans:
        alone = effects_of([(run, test, [plan])], *how)
        for key, drop in alone.drop.items():
            np.testing.assert_allclose(whole.drop[key], drop, atol=1e-5)
        for key, drops in alone.matched_drop.items():
            np.testing.assert_allclose(whole.matched_drop[key], drops, atol=1e-4)
        assert (
            alone.drop and alone.matched_drop and alone.said_after.keys() <= whole.said_after.keys()
        )


@pytest.mark.parametrize("intervention", ["spliced", "error_preserving"])
@pytest.mark.parametrize("ablation", EVERY)
def test_every_ablation_has_the_same_baseline_and_controls(run, intervention, ablation):
    effects = made_effects(run, condition=(intervention, ablation))
    plain = made_effects(run, condition=(intervention, "zero"))
    for key, before in plain.before.items():
        np.testing.assert_array_equal(effects.before[key], before)
    doses = {"direction": (2,), "temporal_frequency": (2,)}
    about = {"ablation": ablation}
    rows = list(ablation_rows(about, effects, doses, bootstrap_weights(10, 0, 200), True))
    for control in ("target", "other_variable", "top_energy"):
        assert sum(r["control"] == control for r in rows) == 2 * 2 * 2


def test_a_resampled_control_set_has_the_donors_of_the_variable_that_it_controls(run):
    effects = made_effects(run, condition=("error_preserving", RESAMPLE))
    sources = {(control, variable) for _, control, variable, _, _ in effects.drop}
    assert {("other_variable", v) for v in CLASSES} | {("top_energy", v) for v in CLASSES} < sources


def test_kept_units_are_held_against_sets_that_lose_as_little():
    controls = np.array([0.5, 0.6, 0.7])
    assert against_controls(0.1, controls, smaller=True)["p"] == pytest.approx(1 / 4)
    assert against_controls(0.6, controls, smaller=True)["p"] == pytest.approx(3 / 4)


def test_p_counts_the_target_itself():
    assert against_controls(1.0, np.zeros(199))["p"] == pytest.approx(1 / 200)
    assert against_controls(0.0, np.zeros(199))["p"] == 1
    assert against_controls(0.5, np.array([0.0, 0.5, 1.0]))["p"] == pytest.approx(3 / 4)
    assert against_controls(0.5, None) == {"n_controls": 0}


def test_confusion_counts_every_trial_with_a_class_once(run, labels):
    test = run.trials.in_part(2)
    effects = made_effects(run)
    classes = {task: [str(i) for i in range(n)] for task, n in CLASSES.items()}
    doses = {"direction": (2,), "temporal_frequency": ()}
    rows = list(confusion_rows({}, effects, test.labels, classes, doses))
    for condition in ("clean", "ablated"):
        its = [r for r in rows if r["condition"] == condition and r["task"] == "direction"]
        assert len(its) == 64
        assert sum(r["count"] for r in its) == (test.labels["direction"] >= 0).sum()


def test_fewer_than_200_controls_are_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"interventions.n_controls: expected at least 200"):
        options_from(InterventionOptions, {"n_controls": 50}, "interventions")
