"""Laws of several stimuli, of values beside classes, and of how their losses are balanced."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.decoders.cells import identities
from glassbox.decoders.data import TrialSet
from glassbox.decoders.fit import loss_of
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.metrics import r2
from glassbox.decoders.options import FrontOptions, WindowsOptions
from glassbox.decoders.room import WindowsRoom
from glassbox.decoders.targets import Targets
from glassbox.decoders.train import CohortName, new_model, train_cohort
from glassbox.errors import UserError
from glassbox.tables import read_rows
from tiny_trials import CLASSES, OPTIONS, tiny_cohort, tiny_session

TASKS = ("direction", "temporal_frequency", "orientation", "running_speed")
BOTH = replace(
    OPTIONS,
    tasks=TASKS,
    windows=WindowsOptions(
        drifting_gratings=FrontOptions(0.0, 1.0, 0.5), static_gratings=FrontOptions(-0.5, 1.5, 1.5)
    ),
)
ORIENTATIONS = np.array([0.0, 60.0, 120.0])


def targets(**weights: float) -> Targets:
    """Three directions and a running speed."""
    tasks = ("direction", "running_speed")
    weight = dict.fromkeys(tasks, 1.0) | weights
    return Targets(tasks, ("drifting_gratings",), {"direction": 3}, weight)


class Asked:
    """What `loss_of` needs of a model."""

    device = torch.device("cpu")

    def __init__(self, made: Targets):
        self.targets = made


def loss(made: Targets, answer, label, counts) -> torch.Tensor:
    return loss_of(Asked(made), [answer], [label], counts, 0.0)


def static_session(name: str) -> TrialSet:
    """A session of static gratings whose cells respond to the orientation."""
    rng = np.random.default_rng([9, *name.encode()])
    base = tiny_session(name)
    label = rng.integers(3, size=len(base.trial))
    windows = rng.normal(size=(len(label), base.n_cells, 12))
    windows += (rng.normal(size=(3, base.n_cells)) * 1.5)[label][:, :, None]
    return replace(
        base,
        stimulus="static_gratings",
        windows=windows.astype(np.float32),
        labels={"orientation": label, "running_speed": np.full(len(label), np.nan, np.float32)},
    )


def mixed_cohort():
    """`a` saw drifting gratings and ran, `b` saw static gratings and nobody knows."""
    base = tiny_cohort()
    (a,) = base.body
    speed = (a.windows[:, 0].mean(1) * 10 + 20).astype(np.float32)
    a = replace(a, labels={**a.labels, "running_speed": speed})
    classes = {**CLASSES, "orientation": ORIENTATIONS}
    return replace(base, body=(a, static_session("b")), classes=classes, tasks=TASKS)


def test_an_even_guess_among_classes_and_the_mean_of_a_value_cost_the_weight():
    made = targets(direction=2.0, running_speed=3.0)
    made.fit({"running_speed": np.array([1.0, 5.0], np.float32), "direction": np.array([0, 1])})
    answer = {"direction": torch.zeros(2, 3), "running_speed": torch.full((2,), 3.0)}
    label = {"direction": torch.tensor([0, 2]), "running_speed": torch.tensor([1.0, 5.0])}
    for task, weight in made.weights.items():
        found = loss(made, {task: answer[task]}, label, {task: 2})
        assert float(found) == pytest.approx(weight, rel=1e-6)


def test_a_trial_without_a_label_costs_its_task_nothing():
    made = targets()
    generator = torch.Generator().manual_seed(0)
    answer = {
        "direction": torch.randn(4, 3, generator=generator),
        "running_speed": torch.randn(4, generator=generator),
    }
    label = {
        "direction": torch.tensor([0, 2, -1, 1]),
        "running_speed": torch.tensor([0.5, 2.0, float("nan"), 1.0]),
    }
    have = torch.tensor([0, 1, 3])
    counts = dict.fromkeys(answer, 3)
    some = {task: values[have] for task, values in answer.items()}
    known = {task: values[have] for task, values in label.items()}
    assert torch.allclose(loss(made, answer, label, counts), loss(made, some, known, counts))
    assert float(loss(made, answer, label, dict.fromkeys(answer, 0))) == 0


def test_an_unlabelled_value_gives_a_gradient_of_zero_and_never_nan():
    answer = torch.ones(2, requires_grad=True)
    label = {"running_speed": torch.tensor([float("nan"), 3.0])}
    loss(targets(), {"running_speed": answer}, label, {"running_speed": 1}).backward()
    assert answer.grad.tolist() == [0.0, pytest.approx(-4.0)]


def test_a_weight_changes_the_gradient_and_nothing_cancels_it():
    """Doubling one task's weight doubles its part of the gradient and leaves the other's alone."""

    def gradient(**weights: float) -> tuple[torch.Tensor, torch.Tensor]:
        direction = torch.zeros(2, 3, requires_grad=True)
        speed = torch.zeros(2, requires_grad=True)
        label = {"direction": torch.tensor([0, 2]), "running_speed": torch.tensor([1.0, 2.0])}
        answer = {"direction": direction, "running_speed": speed}
        loss(targets(**weights), answer, label, dict.fromkeys(answer, 2)).backward()
        return direction.grad, speed.grad

    before, after = gradient(), gradient(direction=2.0)
    assert torch.allclose(after[0], 2 * before[0]) and torch.equal(after[1], before[1])
    assert before[0].abs().sum() > 0


def test_one_decoder_learns_what_each_session_has(tmp_path):
    options = replace(BOTH, epochs=30, patience=30, learning_rate=5e-3)
    train_cohort(CohortName("all", "all"), mixed_cohort(), options, tmp_path / "out", None)
    rows = read_rows(tmp_path / "out" / "decoding.csv")
    found = {
        (row["session"], row["task"]): (row["metric"], float(row["value"]), float(row["chance"]))
        for row in rows
        if (row["fold"], row["part"]) == ("pooled", "test") and row["metric"] != "log_probability"
    }
    assert set(found) == {
        ("a", "direction"),
        ("a", "temporal_frequency"),
        ("a", "running_speed"),
        ("b", "orientation"),
    }
    for key in (("a", "direction"), ("b", "orientation"), ("a", "running_speed")):
        assert found[key][1] > found[key][2] + 0.25, (key, found[key])
    assert found["a", "running_speed"][0] == "r2"
    decoder = FittedDecoder.load(tmp_path / "out", 0, 0)
    assert decoder.stimulus == "drifting_gratings" and list(decoder.tasks) == list(CLASSES)


def test_a_session_without_a_task_leaves_that_tasks_answers_as_they_were_drawn(tmp_path):
    data = mixed_cohort()
    only_b = replace(data, body=data.body[1:])
    train_cohort(CohortName("all", "all"), only_b, BOTH, tmp_path / "out", None)
    found = FittedDecoder.load(tmp_path / "out", 0, 0).model
    drawn = new_model(BOTH, only_b)
    drawn.draw(0)
    for place, task in enumerate(TASKS):
        same = torch.equal(found.answers[place].weight, drawn.answers[place].weight)
        assert same == (task != "orientation"), task


def test_cells_of_one_identity_share_their_vectors_where_sessions_share_and_only_there():
    ids = {"a": np.array([5, 1, 9]), "b": np.array([9, 7]), "c": np.array([1, 2])}
    tables, places = identities(ids, ("a", "b"))
    assert [n for _, n in tables] == [4, 2]
    assert places["a"][0] == places["b"][0] != places["c"][0]
    assert places["a"][1][2] == places["b"][1][0]
    assert len({*places["a"][1], *places["b"][1]}) == 4
    apart, _ = identities(ids, ())
    assert apart == [("a", 3), ("b", 2), ("c", 2)]


def test_what_one_session_teaches_a_shared_cell_the_other_knows(tmp_path):
    base = tiny_cohort(("a", "b"))
    a, b = base.body
    options = replace(OPTIONS, share_units=True)
    data = replace(base, body=(a, replace(b, cell_specimen_id=np.arange(3, 3 + b.n_cells))))
    train_cohort(CohortName("all", "all"), data, options, tmp_path / "out", None)
    model = FittedDecoder.load(tmp_path / "out", 0, 0).model
    assert torch.equal(model.unit_vectors("a")[0][3], model.unit_vectors("b")[0][0])
    assert not torch.equal(model.unit_vectors("a")[0][2], model.unit_vectors("b")[0][0])


def test_r2_of_the_mean_is_zero_of_the_truth_one_and_weights_count_as_copies():
    truth = np.array([1.0, 2.0, 4.0, 9.0])
    assert r2(np.full(4, 4.0), truth) == pytest.approx(0)
    assert r2(truth, truth) == 1
    answer = np.array([1.5, 2.0, 3.0, 8.0])
    twice = r2(answer[[0, 1, 1, 2, 3]], truth[[0, 1, 1, 2, 3]])
    assert r2(answer, truth, np.array([1, 2, 1, 1])) == pytest.approx(twice)


def test_tensorboard_events_are_written_where_they_are_asked_for_and_only_there(tmp_path):
    data = tiny_cohort()
    for asked in (False, True):
        logs = tmp_path / f"logs{asked}"
        options = replace(OPTIONS, epochs=2, tensorboard=asked)
        train_cohort(CohortName("m", "mouse"), data, options, tmp_path / f"{asked}", None, 1, logs)
        assert bool(list(logs.glob("events.*"))) == asked


def test_windows_beyond_the_memory_lie_in_a_file_without_a_name(tmp_path):
    room = WindowsRoom(4 * 100, tmp_path / "spool")
    first, second = room.take((10, 5, 2)), room.take((3, 5, 2))
    assert not isinstance(first, np.memmap) and isinstance(second, np.memmap)
    second[...] = np.arange(30).reshape(3, 5, 2)
    assert list((tmp_path / "spool").iterdir()) == []
    assert torch.from_numpy(second)[2, 4, 1] == 29
    assert not isinstance(WindowsRoom(0, None).take((10, 5, 2)), np.memmap)


def test_filters_begin_with_the_response_minus_what_was_before():
    front = FrontOptions(-0.2, 0.8, 0.8, 10.0, (0.2, 0.5), (0.0, 0.1))
    expected = [0, 0, -1, 0, 1 / 3, 1 / 3, 1 / 3, 0]
    assert front.first_filter(10.0) == pytest.approx(expected)
    assert FrontOptions(0.0, 2.0, 0.5).first_filter(6.0) == pytest.approx([1 / 3] * 3)
    for wrong in ((0.7, 0.8), (0.2,), (0.5, 0.2)):
        with pytest.raises(UserError, match="response_s: expected the first and the last time"):
            replace(front, response_s=wrong).refuse_parts_of_patches(10.0, "windows.x")
    with pytest.raises(UserError, match=r"found .* and 4 patches"):
        replace(front, patch_s=0.2).refuse_parts_of_patches(10.0, "windows.x")
