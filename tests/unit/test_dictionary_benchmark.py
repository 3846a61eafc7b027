"""Laws of what the benchmark of dictionaries compares."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.append(str(FOLDER))

from dictionary_speed import SUBJECTS, steps_of  # noqa: E402
from dictionary_steps import ENVIRONMENTS, K_AUX, MAKERS, PACKAGES, new_step  # noqa: E402


@pytest.mark.parametrize("forced", [False, True])
def test_plain_dense_torch_has_our_loss_and_our_gradients(forced):
    x = torch.randn(50, 6, generator=torch.Generator().manual_seed(0))
    # Half of the units, more than AuxK looks at.
    dead = (torch.arange(2 * K_AUX + 4) % 2 == 1) & torch.tensor(forced)
    (ours, our_loss), (plain, plain_loss) = (
        MAKERS[name](x, len(dead), 3, dead) for name in ("ours", "plain")
    )
    pairs = list(zip(plain, ours, strict=True))
    with torch.no_grad():
        for theirs, mine in pairs:
            theirs.copy_(mine)
    totals = our_loss(), plain_loss()
    torch.testing.assert_close(*totals)
    for total in totals:
        total.backward()
    for theirs, mine in pairs:
        torch.testing.assert_close(theirs.grad, mine.grad, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("subject", ["ours", "plain"])
def test_a_step_that_is_timed_is_a_step_of_training(subject):
    step = new_step(subject, dim=4, width=16, k=2, forced=True)
    first = step()
    for _ in range(20):
        last = step()
    assert last < first


def test_every_peer_has_an_environment_that_pins_it():
    envs = FOLDER.parents[1] / "envs"
    for subject in SUBJECTS:
        pins = (envs / f"requirements-{ENVIRONMENTS[subject]}.txt").read_text()
        assert "\ntorch==2.13.0\n" in pins
        assert subject not in PACKAGES or f"{PACKAGES[subject]}==" in pins


def test_a_turn_is_never_empty():
    assert steps_of((64, 512, 8)) > steps_of((256, 8192, 32)) >= 1
