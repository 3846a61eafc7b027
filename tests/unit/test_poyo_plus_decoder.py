"""Laws of the POYO+ form as a decoder of trials, and of its part after the hook."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.decoders.data import CohortData
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.hooks import Recorder
from glassbox.decoders.layers import Noise
from glassbox.decoders.options import DecoderOptions, FrontOptions, WindowsOptions
from glassbox.decoders.pieces import Piece
from glassbox.decoders.poyo_plus import PoyoPlus, Tokens
from glassbox.decoders.poyo_plus_decoder import PoyoPlusDecoder
from glassbox.decoders.poyo_plus_options import PoyoPlusOptions
from glassbox.decoders.randomness import torch_generator
from glassbox.decoders.targets import Targets
from glassbox.decoders.train import CohortName, train_cohort
from glassbox.errors import UserError
from glassbox.interventions.poyo_plus_suffix import PoyoPlusSuffix
from glassbox.options import options_from
from glassbox.tables import read_rows
from safetensors.torch import load_file
from tiny_trials import CLASSES, SAMPLES, STIMULUS, tiny_cohort
from tiny_trials import OPTIONS as TINY

SIZES = PoyoPlusOptions(
    context_s=0.5,
    latent_step_s=0.25,
    latents_per_step=2,
    dim=8,
    head_dim=8,
    depth=2,
    cross_heads=2,
    self_heads=2,
    block_dropout=0.2,
)
OPTIONS = replace(TINY, decoder="poyo_plus", poyo_plus=SIZES)
WIDTHS = {task: len(values) for task, values in CLASSES.items()}
CELLS = {"a": np.arange(6), "b": np.arange(4)}


def targets(tasks=tuple(WIDTHS), stimuli=(STIMULUS,), classes=WIDTHS) -> Targets:
    return Targets(tasks, stimuli, classes, dict.fromkeys(tasks, 1.0))


def drawn(cells=CELLS, seed: int = 0, options: DecoderOptions = OPTIONS) -> PoyoPlusDecoder:
    """A decoder whose answers depend on all that they may depend on."""
    model = PoyoPlusDecoder(options, cells, targets())
    model.draw(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim > 1 or name.startswith("session."):
                weight.mul_(1 / weight.std())
            else:
                weight.add_(torch.randn(weight.shape, generator=torch_generator(name)) / 2)
        for session in cells:
            n = len(cells[session])
            model.scaling(session).mean.copy_(torch.linspace(-0.3, 0.3, n)[:, None])
            model.scaling(session).deviation.copy_(torch.linspace(0.5, 2, n)[:, None])
    return model.requires_grad_(False)


def windows(session: str = "a", n: int = 5, seed: int = 0) -> torch.Tensor:
    noise = torch_generator("windows", session, seed)
    return torch.randn(n, len(CELLS[session]), SAMPLES, generator=noise)


def noise_of(*seeds: int, rows: int = 5) -> Noise:
    return Noise([torch_generator(seed) for seed in seeds], [rows] * len(seeds))


def test_it_is_the_network_on_one_token_for_each_cell_and_sample_of_the_context():
    model = drawn()
    network = PoyoPlus(SIZES, 10, 2, WIDTHS)
    network.body = model.body
    network.unit.data = torch.cat([units.embedding for units in model.units])
    network.session.data = torch.stack(list(model.session))
    given = [windows("a"), windows("b")]
    rows = []
    for place, (session, part) in enumerate(zip(CELLS, given, strict=True)):
        scaled = model.scaling(session).scaled(part, None)[:, :, 2:6]  # around the middle of 8
        cell, sample = np.meshgrid(np.arange(scaled.shape[1]), np.arange(4), indexing="ij")
        unit = torch.from_numpy(cell.ravel() + 6 * place)
        rows += [
            (row.ravel(), unit, torch.from_numpy((sample.ravel() + 0.5) / 8)) for row in scaled
        ]
    pad = torch.nn.utils.rnn.pad_sequence
    value, unit, time = (pad(part, batch_first=True) for part in zip(*rows, strict=True))
    tokens = Tokens(
        value=value,
        unit=unit,
        time=time,
        mask=pad([torch.ones(len(row[0])) for row in rows], batch_first=True).bool(),
        latent=torch.tensor([0, 1, 0, 1]).expand(10, -1),
        latent_time=torch.tensor([0.125, 0.125, 0.375, 0.375]).expand(10, -1),
        session=torch.arange(2).repeat_interleave(5)[:, None].expand(-1, 2),
        task=torch.arange(2).expand(10, -1),
        query_time=torch.full((10, 2), 0.25),
    )
    expected = network(tokens)
    answers = model([Piece(s, STIMULUS, part) for s, part in zip(CELLS, given, strict=True)])
    for task in WIDTHS:
        ours = torch.cat([answer[task] for answer in answers])
        assert torch.allclose(ours, expected[task], atol=1e-4), task
        assert ours.std(0).min() > 1e-2


def test_reading_out_what_was_encoded_is_what_the_decoder_answers():
    model = drawn()
    for session in CELLS:
        (whole,) = model([Piece(session, STIMULUS, windows(session))])
        parts = model.readout(
            model.encode(session, STIMULUS, windows(session)), sessions=[session] * 5
        )
        for task, answer in whole.items():
            assert torch.allclose(parts[task], answer, atol=1e-5)


def test_an_answer_depends_on_the_session_that_asks():
    model = drawn()
    latents = model.encode("a", STIMULUS, windows())
    as_a, as_b = (model.readout(latents, sessions=[s] * 5)["direction"] for s in CELLS)
    mixed = model.readout(latents, sessions=["a", "b", "a", "b", "b"])["direction"]
    at = torch.tensor([True, False, True, False, False])[:, None]
    assert torch.allclose(mixed, torch.where(at, as_a, as_b), atol=1e-5)
    assert not torch.allclose(as_a, as_b, atol=1e-2)


def test_leaving_cells_out_is_a_model_without_those_cells_in_any_order_of_keep():
    model, given, keep = drawn(), windows(), torch.tensor([0, 2, 5])
    kept = model.encode("a", STIMULUS, given, keep)
    assert torch.allclose(model.encode("a", STIMULUS, given, keep.flip(0)), kept, atol=1e-4)
    other = given.clone()
    other[:, [1, 3, 4]] = 100
    assert torch.equal(model.encode("a", STIMULUS, other, keep), kept)


def test_outside_training_the_context_lies_around_the_middle_of_the_window():
    model, given = drawn(), windows()
    before = model.encode("a", STIMULUS, given)
    other = given.clone()
    other[:, :, [0, 1, 6, 7]] = 100
    assert torch.equal(model.encode("a", STIMULUS, other), before)
    other[:, :, 2] = 100
    assert not torch.allclose(model.encode("a", STIMULUS, other), before, atol=1e-2)


def test_in_training_the_context_lies_where_the_generator_says_and_holds_the_middle():
    still = replace(SIZES, block_dropout=0.0, feedforward_dropout=0.0, attention_dropout=0.0)
    model = drawn(options=replace(OPTIONS, poyo_plus=still))
    given = windows(n=1).expand(200, -1, -1)

    def answers(seed: int) -> torch.Tensor:
        (answer,) = model([Piece("a", STIMULUS, given)], noise_of(seed, rows=200))
        return answer["direction"]

    first = answers(1)
    torch.manual_seed(7)
    assert torch.equal(answers(1), first) and not torch.equal(answers(2), first)
    # 4 samples of 8 around the time between the fourth and the fifth: from 0, 1, 2, 3 or 4.
    assert len(first.round(decimals=3).unique(dim=0)) == 5


def test_dropout_depends_on_its_generator_alone_and_each_batch_has_its_own():
    model, pieces = drawn(), [Piece(s, STIMULUS, windows(s)) for s in CELLS]
    first = model(pieces, noise_of(1, 2))
    torch.manual_seed(7)
    again, swapped = model(pieces, noise_of(1, 2)), model(pieces, noise_of(1, 3))
    alone = model(pieces[:1], noise_of(1))
    assert torch.equal(first[0]["direction"], again[0]["direction"])
    assert torch.equal(first[1]["direction"], again[1]["direction"])
    assert not torch.allclose(first[1]["direction"], swapped[1]["direction"], atol=1e-2)
    assert torch.allclose(first[0]["direction"], alone[0]["direction"], atol=1e-4)
    assert not torch.allclose(first[0]["direction"], model(pieces)[0]["direction"], atol=1e-2)


def test_attention_dropout_takes_its_numbers_from_the_generator():
    sizes = replace(SIZES, block_dropout=0.0, feedforward_dropout=0.0, attention_dropout=0.5)
    model = drawn(options=replace(OPTIONS, poyo_plus=replace(sizes, context_s=1.0)))
    piece = Piece("a", STIMULUS, windows())
    first, again, other = (model([piece], noise_of(seed))[0]["direction"] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-2)


def test_the_embeddings_of_a_session_and_the_body_do_not_depend_on_the_other_sessions():
    one = PoyoPlusDecoder(OPTIONS, {"a": CELLS["a"]}, targets())
    two = PoyoPlusDecoder(OPTIONS, {"b": CELLS["a"], "a": CELLS["a"]}, targets())
    one.draw(3), two.draw(3)
    assert torch.equal(one.units[0].embedding, two.units[1].embedding)
    assert torch.equal(one.session[0], two.session[1])
    assert not torch.equal(two.units[0].embedding, two.units[1].embedding)
    assert not torch.equal(two.session[0], two.session[1])
    bodies = [dict(model.named_parameters()) for model in (one, two)]
    assert all(torch.equal(bodies[0][name], bodies[1][name]) for name in one.body_parameters())


def test_trials_are_asked_only_what_their_stimulus_shows():
    asked = targets(
        ("direction", "orientation", "running_speed"),
        (STIMULUS, "static_gratings"),
        {"direction": 4, "orientation": 3},
    )
    model = PoyoPlusDecoder(OPTIONS, CELLS, asked)
    model.draw(0)
    answers = model(
        [Piece("a", STIMULUS, windows("a")), Piece("b", "static_gratings", windows("b"))]
    )
    assert [set(answer) for answer in answers] == [
        {"direction", "running_speed"},
        {"orientation", "running_speed"},
    ]
    assert answers[0]["running_speed"].shape == (5,)


def test_a_context_that_does_not_fit_the_window_is_refused():
    def said(**changes: object) -> str:
        given = {"decoder": "poyo_plus", "tasks": ["direction"], **changes}
        with pytest.raises(UserError) as refused:
            options_from(DecoderOptions, given, "decoders")
        return str(refused.value)

    assert "decoders.poyo_plus.context_s" in said(poyo_plus={"context_s": 3.0})
    assert "as many samples before it as behind it" in said(poyo_plus={"context_s": 0.5})
    assert "decoders.poyo_plus.head_dim" in said(poyo_plus={"head_dim": 6})
    assert "decoders.poyo_plus.depth" in said(poyo_plus={"depth": 0})
    options_from(DecoderOptions, {"poyo_plus": {"context_s": 1.0}}, "decoders")


def test_it_learns_and_a_held_out_session_is_fitted_with_the_body_as_it_is(tmp_path):
    sizes = replace(SIZES, context_s=1.0, dim=16, block_dropout=0.0, embedding_std=0.3)
    options = replace(OPTIONS, poyo_plus=sizes, tasks=("direction",), min_cells=6)
    options = replace(options, epochs=40, patience=60, learning_rate=5e-3, unit_epochs=60)
    sets = [
        replace(s, labels={"direction": s.labels["direction"]})
        for s in tiny_cohort(("a", "b", "d"), ("c",)).trial_sets
    ]
    classes = {"direction": CLASSES["direction"]}
    data = CohortData(tuple(sets[:3]), (sets[3],), classes, ("direction",))
    for name, cohort in (("with", data), ("without", replace(data, held_out=()))):
        train_cohort(CohortName("all", "all"), cohort, options, tmp_path / name, None)
    rows = read_rows(tmp_path / "with" / "decoding.csv")
    found = {
        row["session"]: float(row["value"])
        for row in rows
        if (row["fold"], row["part"], row["metric"]) == ("pooled", "test", "accuracy")
    }
    assert {row["model"] for row in rows} == {"poyo_plus"}
    assert found["a"] > 0.6 and found["c"] > 0.5  # chance 0.25
    first, second = (
        load_file(tmp_path / name / "seed0-fold0.safetensors") for name in ("with", "without")
    )
    assert all(torch.equal(second[name], first[name]) for name in second)
    decoder = FittedDecoder.load(tmp_path / "with", 0, 0)
    latents = decoder.latents("c", sets[3].windows)
    logits = decoder.readout(latents, ["c"] * len(latents))["direction"]
    right = (logits.argmax(1).numpy() == sets[3].labels["direction"])[sets[3].in_part(0, 2)]
    assert right.mean() == pytest.approx(found["c"])
    with pytest.raises(UserError, match="no receptive fields"):
        decoder.receptive_fields("a")


def test_the_suffix_equals_the_readout_for_every_version_and_session():
    model = drawn()
    latents = torch.cat([model.encode(s, STIMULUS, windows(s)) for s in CELLS])
    order = torch.randperm(10, generator=torch_generator("order"))
    sessions = np.repeat(list(CELLS), 5)[order.numpy()]
    versions = torch.stack([latents, 3 * latents + 1, latents.flip(1)], dim=2)[order]
    for tasks in (tuple(WIDTHS), ("temporal_frequency",)):
        got = PoyoPlusSuffix(model, tasks)(versions, sessions)
        assert set(got) == set(tasks)
        for i in range(3):
            expected = model.readout(versions[:, :, i], tasks, sessions=list(sessions))
            for task, logits in expected.items():
                assert torch.allclose(got[task][:, i], logits, atol=1e-4 * logits.abs().max())
                assert logits.std(0).min() > 1e-2


def test_a_recorder_sees_every_hook_point_between_window_and_answer():
    model, seen = drawn(), Recorder(drawn().hooks)
    latents = model.encode("a", STIMULUS, windows(), tap=seen)
    model.readout(latents, sessions=["a"] * 5, tap=seen)
    assert set(seen.seen) == set(model.hooks)
    assert torch.equal(seen.seen["latents"], latents)
    assert torch.equal(seen.seen["block1"], latents)
    assert seen.seen["encoder"].shape == seen.seen["block0.attention"].shape == (5, 4, 8)
    assert seen.seen["queries"].shape == seen.seen["queries.attention"].shape == (5, 2, 8)


def test_windows_of_two_stimuli_share_one_grid_of_latents():
    options = replace(
        OPTIONS,
        windows=WindowsOptions(
            drifting_gratings=FrontOptions(0.0, 1.0, 0.5),
            static_gratings=FrontOptions(-0.25, 0.75, 0.75),
        ),
    )
    model = drawn(options=options)
    latents = model.encode("a", "static_gratings", windows()[:, :, 1:7])
    assert torch.allclose(latents, model.encode("a", STIMULUS, windows()), atol=1e-5)
