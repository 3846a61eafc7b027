"""Laws of the tests for area, depth and session."""

import json
from itertools import permutations

import numpy as np
import pytest
from activation_files import WIDTH, change, write_dictionary
from glassbox.tables import read_rows
from glassbox.units.measure import measure_units
from glassbox.units.mice import MouseTable
from glassbox.units.options import UnitOptions
from glassbox.units.places import area_test, depth_test, estimable_mice, session_test

OPTIONS = UnitOptions(permutations=499, labelings=499, resamples=99)
AREAS = ("VISp", "VISp", "VISl", "VISl")


def table_of(mean, lines="AABB" * 2):
    n = len(mean)
    names = tuple(f"M{i}" for i in range(n))
    return MouseTable(names, tuple(lines[:n]), mean, np.ones_like(mean), np.full(n, 50))


def test_the_p_of_depth_is_the_share_of_permutations_of_mice():
    rng = np.random.default_rng(0)
    depth, mean = rng.permutation(6) * 50.0, rng.random((6, 4))
    p = depth_test(table_of(mean, "A" * 6), depth, 20_000, 99, seed=0).p
    rank = mean.argsort(axis=0).argsort(axis=0)
    every = np.array([np.corrcoef(list(o), rank.T)[0, 1:] for o in permutations(range(6))])
    seen = np.corrcoef(depth, rank.T)[0, 1:]
    exact = (np.abs(every) >= np.abs(seen) - 1e-9).mean(axis=0)
    assert p == pytest.approx(exact, abs=0.015)


def test_what_the_line_alone_explains_is_neither_area_nor_depth():
    rng = np.random.default_rng(1)
    lines = "AAAABBBB"
    mean = rng.standard_normal((8, 50)) + 20.0 * (np.array(list(lines)) == "B")[:, None]
    area = np.array([0, 0, 0, 1, 0, 1, 1, 1])  # goes along with the line, as far as it can
    test = area_test(table_of(mean, lines), area, 499, 99, seed=0)
    assert (test.p < 0.05).mean() <= 0.15
    assert np.median(test.score) < 0.4


def test_where_no_line_has_two_areas_the_area_is_not_estimable():
    table = table_of(np.zeros((4, 1)))
    mice, note = estimable_mice(table, {"M0": "VISp", "M1": "VISp", "M2": "VISl", "M3": "VISl"})
    assert len(mice) == 0
    assert note == "not estimable: no line has several values (A: VISp; B: VISl)"


def test_a_drift_within_sessions_is_no_difference_between_them():
    rng = np.random.default_rng(2)
    drift = np.cumsum(rng.standard_normal((4, 120, 60)), axis=1)
    drift -= drift.mean(axis=1, keepdims=True)
    session = np.repeat(np.arange(4), 120)
    values = drift.reshape(480, 60) + 8.0 * np.eye(60)[0] * session[:, None]
    test = session_test(values, session, np.zeros(480, dtype=int), 499, 99, seed=0)
    assert test.p[0] < 0.01
    assert test.low[0] <= test.effect_size[0] <= test.high[0]
    assert (test.p[1:] > 0.05).all()


def test_planted_area_and_depth_are_found_among_the_mice_of_a_line(tmp_path):
    places = [{"area": AREAS[i // 2 % 4], "depth_um": 175.0 + 25 * (i % 8)} for i in range(16)]
    folder = write_dictionary(tmp_path / "dictionary", mice=16, trials=60, places=places)
    stored = change(folder)
    activation, session = stored["unit_activation"].copy(), stored["session_index"]
    activation[:, 0] += np.array([4.0 * (p["area"] == "VISl") for p in places])[session]
    activation[:, 1] += np.array([0.04 * p["depth_um"] for p in places])[session]
    change(folder, unit_activation=activation)
    measure_units(folder, tmp_path / "units", "all", "all", OPTIONS)
    rows = read_rows(tmp_path / "units" / "units.csv")
    found = {
        v: [int(r["unit"]) for r in rows if r["variable"] == v and r["selective"] == "true"]
        for v in ("area", "depth")
    }
    assert 0 in found["area"] and 1 in found["depth"]
    assert len(found["area"]) <= 3 and len(found["depth"]) <= 3
    (depth,) = [r for r in rows if r["variable"] == "depth" and r["unit"] == "1"]
    assert float(depth["rank_correlation"]) > 0.8
    tuning = read_rows(tmp_path / "units" / "tuning.csv")
    assert {r["condition"] for r in tuning if r["variable"] == "area"} == {"VISp", "VISl"}


def test_running_is_measured_where_it_was_recorded(tmp_path):
    folder = write_dictionary(tmp_path / "dictionary", mice=2)
    stored = change(folder)
    speed = np.random.default_rng(0).gamma(1.0, size=len(stored["part"])).astype(np.float32)
    activation = stored["unit_activation"].copy()
    activation[:, 20] += 3 * speed
    change(folder, unit_activation=activation, behaviour_running_speed=speed)
    measure_units(folder, tmp_path / "units", "all", "all", OPTIONS)
    rows = [r for r in read_rows(tmp_path / "units" / "units.csv") if "running" in r["variable"]]
    assert len(rows) == WIDTH - 1
    found = [int(r["unit"]) for r in rows if r["selective"] == "true"]
    assert 20 in found and len(found) <= 2
    notes = json.loads((tmp_path / "units" / "units.json").read_text())["notes"]
    assert not [note for note in notes if note["variable"] == "running_speed"]
