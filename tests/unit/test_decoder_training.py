"""Laws of training: what may and what may not change the weights of a decoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.decoders.data import CohortData
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.train import CohortName, new_model, train_cohort
from glassbox.errors import UserError
from glassbox.tables import COLUMNS, read_rows
from glassbox.tensors.splits import SELECTION, TEST, TRAIN
from safetensors.torch import load_file
from tiny_trials import OPTIONS, SAMPLES, STIMULUS, tiny_cohort

NAME = CohortName("mouse-1", "mouse")
WEIGHTS = "seed0-fold0.safetensors"


def train(tmp_path, data: CohortData, options: DecoderOptions = OPTIONS, cache=None):
    """Train, and give the folder."""
    out = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
    train_cohort(NAME, data, options, out, cache)
    return out


def weights(out):
    return load_file(out / WEIGHTS)


def same(first, second, names=None) -> bool:
    return all(torch.equal(first[name], second[name]) for name in names or first)


def poisoned(data: CohortData, part: int, **what: bool) -> CohortData:
    """The same cohort with other labels or windows in the trials of one part of fold 0."""
    changed = []
    for session in data.trial_sets:
        at = session.in_part(0, part)
        labels = {task: values.copy() for task, values in session.labels.items()}
        windows = session.windows.copy()
        if what.get("labels"):
            for values in labels.values():
                values[at] = 0
        if what.get("windows"):
            windows[at] = 1000
        changed.append(replace(session, labels=labels, windows=windows))
    n = len(data.body)
    return replace(data, body=tuple(changed[:n]), held_out=tuple(changed[n:]))


def test_the_same_input_gives_the_same_bytes(tmp_path):
    data = tiny_cohort()
    first, second = train(tmp_path, data), train(tmp_path, data)
    files = sorted(path.name for path in first.iterdir())
    assert WEIGHTS in files and "decoding.csv" in files
    for name in files:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_test_trials_change_neither_weights_nor_scaling_nor_the_epoch_chosen(tmp_path):
    data = tiny_cohort(("a",), ("c",))
    clean = weights(train(tmp_path, data))
    changed = poisoned(data, TEST, labels=True, windows=True)
    assert same(clean, weights(train(tmp_path, changed)))


def test_selection_trials_never_set_the_scaling(tmp_path):
    data = tiny_cohort()
    clean = weights(train(tmp_path, data))
    changed = weights(train(tmp_path, poisoned(data, SELECTION, windows=True)))
    assert same(clean, changed, ["sessions.0.mean", "sessions.0.deviation"])
    changed = weights(train(tmp_path, poisoned(data, TRAIN, windows=True)))
    assert not same(clean, changed, ["sessions.0.mean"])


def test_selection_labels_choose_the_epoch(tmp_path):
    options = replace(OPTIONS, epochs=30, patience=30)
    data = tiny_cohort()
    clean = weights(train(tmp_path, data, options))
    changed = weights(train(tmp_path, poisoned(data, SELECTION, labels=True), options))
    assert not same(clean, changed)


def test_held_out_mice_never_touch_the_body(tmp_path):
    with_c = tiny_cohort(("a", "b"), ("c",))
    without = replace(with_c, held_out=())
    names = [n for n, _ in new_model(OPTIONS, without).named_parameters()]
    first, second = weights(train(tmp_path, with_c)), weights(train(tmp_path, without))
    assert same(first, second, names)
    # and the other way round: the unit vectors of the held-out mouse are learned
    untrained = new_model(OPTIONS, with_c)
    untrained.draw(0)
    assert not torch.equal(first["units.2.value"], untrained.unit_vectors("c")[1].detach())


def test_a_held_out_mouse_is_fitted_without_its_genotype_and_without_the_other_one(tmp_path):
    two = tiny_cohort(("a",), ("c", "d"))
    names = ["units.1.key", "units.1.value"]
    first = weights(train(tmp_path, two))
    alone = replace(two, held_out=two.held_out[:1])
    assert same(first, weights(train(tmp_path, alone)), names)
    relabelled = tuple(replace(s, cre_line="Rorb-IRES2-Cre") for s in two.held_out)
    assert same(first, weights(train(tmp_path, replace(two, held_out=relabelled))))


def test_a_finished_seed_and_fold_is_taken_from_the_cache(tmp_path):
    data, cache = tiny_cohort(), tmp_path / "cache"
    first = train(tmp_path, data, cache=cache)
    stored = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    more = train(tmp_path, data, replace(OPTIONS, seeds=(0, 1)), cache=cache)
    assert (first / WEIGHTS).read_bytes() == (more / WEIGHTS).read_bytes()
    assert all(path.stat().st_mtime_ns == t for path, t in stored.items())


def test_a_state_of_another_configuration_is_never_taken_up(tmp_path):
    data, cache = tiny_cohort(), tmp_path / "cache"
    train(tmp_path, data, cache=cache)
    other = replace(OPTIONS, dropout=0.1)
    cached = weights(train(tmp_path, data, other, cache=cache))
    assert same(cached, weights(train(tmp_path, data, other)))


def test_a_damaged_state_is_begun_again(tmp_path):
    data, cache = tiny_cohort(), tmp_path / "cache"
    first = weights(train(tmp_path, data, cache=cache))
    for path in cache.iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert same(first, weights(train(tmp_path, data, cache=cache)))


def test_a_loss_that_is_no_number_ends_in_a_sentence_and_leaves_nothing(tmp_path):
    broken = tiny_cohort()
    broken.body[0].windows[broken.body[0].in_part(0, TRAIN)[0]] = np.nan
    with pytest.raises(UserError, match=r"decoders\.learning_rate: .* no longer a number"):
        train(tmp_path, broken)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_cuda_device_is_said():
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(UserError, match="sees no CUDA device"):
        train_cohort(NAME, tiny_cohort(), replace(OPTIONS, device="cuda"), "unused", None)


def test_the_table_has_a_row_for_each_session_fold_part_task_and_metric_and_the_folds_pooled(
    tmp_path,
):
    options = replace(OPTIONS, folds=(0, 1), epochs=1, unit_epochs=1)
    data = tiny_cohort(("a",), ("c",))
    rows = read_rows(train(tmp_path, data, options) / "decoding.csv")
    assert tuple(rows[0]) == COLUMNS["decoding"]
    assert len(rows) == 2 * 3 * 3 * 2 * 2
    key = ("session", "fold", "part", "task", "metric")
    assert len({tuple(row[name] for name in key) for row in rows}) == len(rows)
    pooled = {row["part"]: int(row["n"]) for row in rows if row["fold"] == "pooled"}
    single = [int(row["n"]) for row in rows if row["fold"] in "01" and row["part"] == "test"]
    assert pooled["test"] == 24 and set(single) == {12}
    for row in rows:
        assert float(row["ci_low"]) <= float(row["value"]) <= float(row["ci_high"])


def test_a_fitted_decoder_opens_with_the_scores_of_its_table(tmp_path):
    data = tiny_cohort(("a", "b"), ("c",))
    out = train(tmp_path, data)
    decoder = FittedDecoder.load(out, 0, 0)
    assert list(decoder.sessions) == ["a", "b", "c"]
    assert [s.held_out for s in decoder.sessions.values()] == [False, False, True]
    for session in data.trial_sets:
        at = session.in_part(0, TEST)
        logits = decoder.readout(decoder.latents(session.session, session.windows[at]))
        right = logits["direction"].argmax(1).numpy() == session.labels["direction"][at]
        (row,) = [
            row
            for row in read_rows(out / "decoding.csv")
            if (row["session"], row["fold"], row["part"]) == (session.session, "0", "test")
            and (row["task"], row["metric"]) == ("direction", "accuracy")
        ]
        assert float(row["value"]) == pytest.approx(right.mean(), abs=1e-6)


def test_receptive_fields_give_exactly_what_enters_the_latents(tmp_path):
    data = tiny_cohort()
    decoder = FittedDecoder.load(train(tmp_path, data), 0, 0)
    windows = torch.from_numpy(data.body[0].windows[:7])
    scaled = decoder.model.scaling("a").scaled(windows, None)
    silent = decoder.model.scaling("a").mean.expand(1, -1, SAMPLES)
    rest = decoder.model.entering("a", STIMULUS, silent)
    fields = decoder.receptive_fields("a")
    expected = rest + torch.einsum("tcs,csld->tld", scaled, fields)
    assert torch.allclose(decoder.model.entering("a", STIMULUS, windows), expected, atol=1e-4)


def test_windows_of_another_shape_or_session_are_refused(tmp_path):
    decoder = FittedDecoder.load(train(tmp_path, tiny_cohort()), 0, 0)
    with pytest.raises(UserError, match="does not know the session z"):
        decoder.latents("z", np.zeros((1, 6, 8), np.float32))
    with pytest.raises(UserError, match="expected windows of 6 cells × 8 samples; found 5 × 8"):
        decoder.latents("a", np.zeros((1, 5, 8), np.float32))
    with pytest.raises(UserError, match="no such decoder"):
        FittedDecoder.load(tmp_path / "run0", 0, 3)


def test_the_rate_of_the_unit_vectors_is_theirs_alone_and_fits_held_out_mice(tmp_path):
    data, still = tiny_cohort(("a",), ("c",)), replace(OPTIONS, unit_learning_rate=1e-12)
    found = weights(train(tmp_path, data, still))
    drawn = new_model(OPTIONS, data)
    drawn.draw(0)
    for name, start in drawn.named_parameters():
        moved = not torch.allclose(found[name], start, atol=1e-6)
        assert moved != name.startswith("units."), name
