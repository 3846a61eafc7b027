"""Laws of the simulated cohort: its mice, its catalogue, and what a Cre line changes."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
from glassbox.errors import UserError
from glassbox.options import options_from
from glassbox.sessions.catalogue import catalogue_folder
from glassbox.sessions.cre_lines import LINE_EFFECTS
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.population import draw_cells
from glassbox.sessions.simulate import simulate_session
from glassbox.sessions.simulated_mice import (
    fresh_mice,
    mouse_of,
    simulated_catalogue,
    simulated_mice,
)
from glassbox.sessions.write_nwb import write_nwb

CUX2, RORB = "Cux2-CreERT2", "Rorb-IRES2-Cre"


def same_cells(one, other) -> bool:
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name))
        for f in dataclasses.fields(one)
    )


def test_the_computed_catalogue_is_that_of_the_written_files(tmp_path):
    options = SimulateOptions(mice_per_line=2, trials=42, cells_min=3, cells_max=6)
    computed = simulated_catalogue(options)
    for row in computed:
        write_nwb(simulate_session(options, row.session), tmp_path / row.file)
    found = [dataclasses.replace(r, size_bytes=0, mtime_ns=0) for r in catalogue_folder(tmp_path)]
    assert found == sorted(computed, key=lambda row: row.file)


def test_areas_and_depths_are_the_same_in_every_line():
    options = SimulateOptions(lines=tuple(LINE_EFFECTS))
    planes = {line: Counter() for line in LINE_EFFECTS}
    for mouse in simulated_mice(options):
        planes[mouse.cre_line][mouse.area, mouse.depth_um] += 1
    assert all(counter == planes[CUX2] for counter in planes.values())
    assert len(planes[CUX2]) == 6


def test_more_mice_and_lines_leave_the_cells_of_a_mouse_alone():
    few = SimulateOptions(mice_per_line=2)
    many = SimulateOptions(mice_per_line=9, lines=("Emx1-IRES-Cre", CUX2))
    one, other = (draw_cells(mouse_of(o, "sim-Cux2-02"), o) for o in (few, many))
    assert same_cells(one, other)


def test_without_genotype_effect_a_line_changes_no_cell():
    mouse = mouse_of(SimulateOptions(), "sim-Cux2-01")
    twin = dataclasses.replace(mouse, cre_line=RORB)
    none, full = SimulateOptions(genotype_effect=0.0), SimulateOptions()
    assert same_cells(draw_cells(mouse, none), draw_cells(twin, none))
    assert not same_cells(draw_cells(mouse, full), draw_cells(twin, full))


def test_the_planted_line_effects_are_the_stated_ones():
    options = SimulateOptions()
    cells = {
        line: [draw_cells(mouse, options) for mouse in fresh_mice(line, 60)]
        for line in (CUX2, RORB)
    }

    def difference(of_mouse) -> float:
        return np.mean([of_mouse(c) for c in cells[RORB]]) - np.mean(
            [of_mouse(c) for c in cells[CUX2]]
        )

    planted = {n: getattr(LINE_EFFECTS[RORB], n) - getattr(LINE_EFFECTS[CUX2], n) for n in NAMES}
    # Clipped to what a grating can show, preferred frequencies differ by a little less.
    octaves = difference(lambda c: np.log2(c.preferred_tf).mean())
    assert planted["preferred_tf_octaves"] * 0.8 < octaves < planted["preferred_tf_octaves"] * 1.1
    rate = difference(lambda c: np.log(c.base_rate).mean())
    assert rate == pytest.approx(planted["log_event_rate"], abs=0.15)
    width = difference(lambda c: np.log(c.concentration).mean())
    assert width == pytest.approx(planted["log_concentration"], abs=0.1)
    assert -0.14 < difference(lambda c: (c.peak_rate > 0).mean()) < -0.02


NAMES = [field.name for field in dataclasses.fields(LINE_EFFECTS[CUX2])]


@pytest.mark.parametrize("name", NAMES)
def test_line_effects_average_to_nothing_over_the_lines(name):
    assert sum(getattr(effect, name) for effect in LINE_EFFECTS.values()) == pytest.approx(0)


def test_separate_cells_are_tuned_to_one_variable_alone():
    options = SimulateOptions(separate_cells=True)
    cells = draw_cells(mouse_of(options, "sim-Rorb-03"), options)
    assert not (cells.tuned_to_direction & cells.tuned_to_tf).any()
    assert cells.tuned_to_direction.sum() > 5 and cells.tuned_to_tf.sum() > 5
    drive = cells.drive
    assert np.ptp(drive[cells.tuned_to_direction], axis=2).max() < 1e-12
    assert np.ptp(drive[cells.tuned_to_tf], axis=1).max() < 1e-12
    together = draw_cells(mouse_of(options, "sim-Rorb-03"), SimulateOptions())
    assert (together.tuned_to_direction == together.tuned_to_tf).all()


def test_a_fresh_mouse_is_no_mouse_of_the_cohort_and_is_found_by_its_name():
    options = SimulateOptions()
    cohort = {mouse.mouse for mouse in simulated_mice(options)}
    drawn = [*fresh_mice(CUX2, 3), *fresh_mice(CUX2, 3, draw=1), *fresh_mice(RORB, 3)]
    assert len({mouse.mouse for mouse in drawn} | cohort) == 9 + len(cohort)
    assert [mouse_of(options, mouse.session) for mouse in drawn] == drawn


def test_no_two_mice_share_a_specimen_id():
    options = SimulateOptions(lines=tuple(LINE_EFFECTS))
    ids = [draw_cells(mouse, options).cell_specimen_id for mouse in simulated_mice(options)]
    assert len(np.unique(np.concatenate(ids))) == sum(map(len, ids))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"lines": ["Cux3"]}, "sessions.simulate.lines: expected Cre lines out of"),
        ({"lines": [CUX2, CUX2]}, "sessions.simulate.lines: expected at least one Cre line, each"),
        ({"trials": 41}, "sessions.simulate.trials: expected at least 42"),
        ({"cells_min": 9, "cells_max": 8}, "sessions.simulate.cells_min and cells_max"),
        ({"genotype_effect": -1}, "sessions.simulate.genotype_effect: expected a number from 0"),
        ({"mice_per_line": 0}, "sessions.simulate.mice_per_line: expected at least 1"),
    ],
)
def test_options_that_cannot_be_simulated_are_refused_in_a_sentence(given, sentence):
    with pytest.raises(UserError, match=sentence):
        options_from(SimulateOptions, given, "sessions.simulate")
