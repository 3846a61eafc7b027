"""Laws of the truth that claims about units are scored against."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from glassbox.decoders.adapt import adapt
from glassbox.decoders.data import CohortData
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.train import CohortName, train_cohort
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.errors import UserError
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.simulate import fresh_session, simulate_session
from glassbox.sessions.simulated_mice import fresh_mice, simulated_mice
from glassbox.sessions.stimulus_schedule import (
    DIRECTIONS_DEG,
    SPATIAL_FREQUENCIES,
    TEMPORAL_FREQUENCIES_HZ,
)
from glassbox.tables import read_rows
from glassbox.units.ground_truth import score_ground_truth
from glassbox.units.measure import measure_units
from glassbox.units.options import UnitOptions
from glassbox.units.truth import (
    FrozenRun,
    activation_of,
    frozen_runs,
    genotype_truth,
    session_of,
    show_fresh_trials,
)

SIMULATE = SimulateOptions(mice_per_line=2, cells_min=8, cells_max=10, trials=126)
TASKS = {
    "direction": np.array(DIRECTIONS_DEG),
    "temporal_frequency": np.array(TEMPORAL_FREQUENCIES_HZ),
}
SMALL = DecoderOptions(
    dim=16, value_dim=4, latents=4, heads=2, epochs=2, unit_epochs=2, min_cells=4, folds=(1,)
)
WIDTH = 12


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Stages 3 to 5 of a cohort of four small mice."""
    torch.set_num_threads(1)
    base = tmp_path_factory.mktemp("truth")
    like = FittedDecoder(
        "all", "all", 0, 1, "crossfit", SMALL, "drifting_gratings", TASKS, {}, None
    )
    data = tuple(
        session_of(simulate_session(SIMULATE, mouse.session), like)
        for mouse in simulated_mice(SIMULATE)
    )
    decoders = base / "decoders"
    train_cohort(
        CohortName("all", "all"), CohortData(data, (), TASKS, tuple(TASKS)), SMALL, decoders, None
    )
    _write_dictionary(base / "dictionaries", FittedDecoder.load(decoders, 0, 1), data)
    options = UnitOptions(permutations=99)
    measure_units(base / "dictionaries", base / "units", "all", "all", options)
    return base


def _write_dictionary(folder, decoder, data):
    import json

    folder.mkdir()
    dictionary = TopKDictionary(SMALL.dim, WIDTH, k=3)
    latents = torch.cat([decoder.latents(d.session, d.windows) for d in data])
    dictionary.initialise(latents.flatten(0, 1), torch.Generator().manual_seed(0))
    dictionary.requires_grad_(False)
    dictionary.save(folder / "topk-seed0-fold1.safetensors")
    count = [len(d.trial) for d in data]
    np.savez(
        folder / "activations-seed0-fold1.npz",
        unit_activation=np.concatenate([activation_of(decoder, dictionary, d) for d in data]),
        part=np.concatenate([d.parts[1] for d in data]),
        session_index=np.repeat(np.arange(len(data)), count),
        block=np.zeros(sum(count), dtype=int),
        density=np.full(WIDTH, 0.1),
        **{f"label_{t}": np.concatenate([d.labels[t] for d in data]) for t in TASKS},
    )
    sessions = [
        {"session": d.session, "mouse": d.mouse, "cre_line": d.cre_line, "held_out": False}
        for d in data
    ]
    about = {"hook": "latents", "dictionary": "topk", "sessions": sessions}
    about["classes"] = {task: values.tolist() for task, values in TASKS.items()}
    (folder / "dictionary.json").write_text(json.dumps(about))


def test_the_truth_of_a_planted_unit_is_its_planted_share():
    rng = np.random.default_rng(0)
    direction, frequency = rng.integers(8, size=40_000), rng.integers(5, size=40_000)
    session = rng.integers(2, size=40_000)
    tuning = np.array([3.0, 0, 0, 0, 0, 0, 0, 0])
    noise = rng.normal(size=(40_000, 2))
    activation = noise + 50.0 * session[:, None]
    activation[:, 0] += tuning[direction]
    run = FrozenRun("all", 0, 0, ("a", "b"), None, None)
    run.activation, run.session = [activation], [session]
    run.label = {"direction": [direction], "temporal_frequency": [frequency]}
    truth = run.truth()
    planted = tuning.var() / (tuning.var() + 1)
    assert truth["direction"] == pytest.approx([planted, 0.0], abs=0.01)
    assert truth["temporal_frequency"] == pytest.approx([0.0, 0.0], abs=0.002)


def test_fresh_trials_carry_the_labels_of_their_schedule_and_none_of_the_blanks(folders):
    (run,) = frozen_runs(folders / "dictionaries", folders / "decoders")
    show_fresh_trials([run], SIMULATE, trials=84, seed=5)
    first = fresh_session(SIMULATE, "sim-Cux2-01", 5, 84).schedule
    shown = first.index["direction"][~first.blank]
    assert np.array_equal(run.label["direction"][0], shown)
    assert [len(a) for a in run.activation] == [len(shown)] * 4
    assert run.activation[0].shape[1] == WIDTH


def test_fresh_trials_are_not_those_of_the_file():
    recorded = simulate_session(SIMULATE, "sim-Cux2-01")
    fresh = fresh_session(SIMULATE, "sim-Cux2-01", 0)
    shown = [one.schedule.index["direction"] for one in (recorded, fresh)]
    assert not np.array_equal(*shown)


def test_fresh_static_gratings_and_scenes_have_the_classes_that_the_tensors_gave_the_decoder():
    simulate = SimulateOptions(
        session_types=("three_session_B",),
        stimuli=("static_gratings", "natural_scenes", "natural_movie_one"),
        cells_min=4,
        cells_max=4,
        scenes=9,
        movie_repeats=1,
    )
    frequencies = np.array(SPATIAL_FREQUENCIES, dtype="f4").astype("f8")
    for stimulus, tasks in (
        ("static_gratings", {"spatial_frequency": frequencies}),
        ("natural_scenes", {"scene": np.arange(9.0)}),
    ):
        decoder = SimpleNamespace(
            stimulus=stimulus, tasks=tasks, options=SMALL, fold=1, split="crossfit"
        )
        fresh = fresh_session(simulate, "sim-Cux2-01-B", 0, 130, stimulus)
        data = session_of(fresh, decoder)
        ((task, labels),) = data.labels.items()
        index = fresh.shown[stimulus].index[task]
        np.testing.assert_array_equal(labels, index[index >= 0])
        np.testing.assert_array_equal(data.trial, np.flatnonzero(index >= 0))
        assert data.windows.shape == (len(labels), 4, SMALL.n_samples(stimulus))
    decoder = SimpleNamespace(stimulus="natural_movie_one", tasks={})
    with pytest.raises(UserError, match="which is natural_movie_one; expected gratings or natural"):
        session_of(fresh, decoder)


def test_adapting_to_a_mouse_leaves_the_body_and_the_decoder_unchanged(folders):
    decoder = FittedDecoder.load(folders / "decoders", 0, 1)
    before = {name: value.clone() for name, value in decoder.model.state_dict().items()}
    mouse = fresh_mice("Cux2-CreERT2", 1)[0]
    data = session_of(fresh_session(SIMULATE, mouse.session, 0), decoder)
    adapted = adapt(decoder, data)
    assert set(adapted.sessions) == {mouse.session} and len(decoder.sessions) == 4
    after = decoder.model.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    for name, value in adapted.model.state_dict().items():
        if not name.startswith(("sessions.", "units.")):
            assert torch.equal(value, before[name])
    drawn = adapted.model.unit_vectors(mouse.session)[1].clone()
    adapted.model.units[0].draw(0, mouse.session)
    assert not torch.equal(drawn, adapted.model.unit_vectors(mouse.session)[1])  # it was fitted


def test_the_cre_line_of_a_fresh_mouse_is_not_seen_by_the_fit(folders):
    decoder = FittedDecoder.load(folders / "decoders", 0, 1)
    mouse = fresh_mice("Cux2-CreERT2", 1)[0]
    data = session_of(fresh_session(SIMULATE, mouse.session, 0), decoder)
    one, other = adapt(decoder, data), adapt(decoder, replace(data, cre_line="another"))
    same = other.model.state_dict()
    assert all(torch.equal(same[name], v) for name, v in one.model.state_dict().items())


def test_a_mouse_without_a_task_is_fitted_by_the_others(folders):
    decoder = FittedDecoder.load(folders / "decoders", 0, 1)
    assert len(decoder.tasks) > 1
    mouse = fresh_mice("Cux2-CreERT2", 1)[0]
    data = session_of(fresh_session(SIMULATE, mouse.session, 0), decoder)
    first = next(iter(data.labels))
    adapted = adapt(decoder, replace(data, labels={first: data.labels[first]}))
    assert set(adapted.tasks) == set(decoder.tasks)


def test_genotype_explains_nothing_where_the_lines_are_one(folders):
    (run,) = frozen_runs(folders / "dictionaries", folders / "decoders")
    simulate = replace(SIMULATE, genotype_effect=0.0)
    lines = ("Cux2-CreERT2", "Rorb-IRES2-Cre")
    share = genotype_truth(run, lines, simulate, mice=4, trials=84, seed=0)
    assert share.shape == (WIDTH,) and np.isfinite(share).all()
    assert np.median(share) < 0.05


def test_every_claim_is_scored_with_its_number_of_units(folders):
    options = UnitOptions(truth_trials=84, truth_mice=2, truth_mouse_trials=84)
    out, truth = folders / "ground_truth.csv", folders / "truth.csv"
    cohort = [folders / "units"], [folders / "dictionaries"], [folders / "decoders"]
    score_ground_truth(*cohort, SIMULATE, options, out, truth)
    scores = {(row["claim"], row["metric"]): row for row in read_rows(out)}
    assert {claim for claim, _ in scores} == {
        "direction_units_all",
        "direction_claimed_all",
        "temporal_frequency_units_all",
        "temporal_frequency_claimed_all",
        "genotype_units_all",
    }
    rows = [row for row in read_rows(truth) if row["variable"] == "direction"]
    true = sum(float(row["true_effect_size"]) > 0.05 for row in rows)
    assert len(rows) == WIDTH
    assert int(scores["direction_units_all", "recall"]["n"]) == true
    first = out.read_bytes()
    score_ground_truth(*cohort, SIMULATE, options, out, truth)
    assert out.read_bytes() == first
