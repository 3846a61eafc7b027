"""Which sessions make a cohort: laws over many catalogues."""

import itertools
import random

import pytest
from glassbox.errors import UserError
from glassbox.sessions.catalogue import Row
from glassbox.sessions.cohort_options import CohortOptions, Exclusion
from glassbox.sessions.cohorts import cohorts_of, mouse_folds

TASKS = {"direction": "drifting_gratings", "temporal_frequency": "drifting_gratings"}
LINES = ("Cux2-CreERT2", "Rorb-IRES2-Cre", "Emx1-IRES-Cre")


def row(session, mouse="1", line=LINES[0], stimuli=("drifting_gratings",), problem=""):
    return Row(
        session, f"{session}.nwb", mouse=mouse, cre_line=line, stimuli=stimuli, problem=problem
    )


def catalogue(mice_by_line, sessions_per_mouse=1):
    """`mice_by_line` mice of each line, each with some sessions."""
    rows = []
    for line, n in zip(LINES, mice_by_line, strict=False):
        for m, s in itertools.product(range(n), range(sessions_per_mouse)):
            rows.append(row(f"{line[:4]}{m}-{s}", f"{line[:4]}{m}", line))
    return rows


CATALOGUES = [
    catalogue(mice, sessions)
    for mice in ((6, 6), (2, 2), (3, 5), (7, 2, 4), (1, 1), (4,), (1,), (2, 1, 1))
    for sessions in (1, 3)
]
FOLDED = CohortOptions(mouse_folds=3)


@pytest.mark.parametrize("rows", CATALOGUES)
def test_each_session_is_in_one_mouse_cohort(rows):
    cohorts = cohorts_of(rows, FOLDED, TASKS).cohorts.values()
    bodies = [session for c in cohorts if c.level == "mouse" for session in c.body]
    assert sorted(bodies) == sorted(r.session for r in rows)


@pytest.mark.parametrize("rows", CATALOGUES)
def test_no_two_cohorts_have_the_same_sessions(rows):
    cohorts = list(cohorts_of(rows, FOLDED, TASKS).cohorts.values())
    bodies = [cohort.body for cohort in cohorts if cohort.level != "heldout"]
    assert len(set(bodies)) == len(bodies)
    covered = {session for body in bodies for session in body}
    assert covered == {r.session for r in rows}


@pytest.mark.parametrize("rows", CATALOGUES)
def test_a_held_out_mouse_is_never_in_the_body_and_every_mouse_is_held_out_once(rows):
    cohorts = [c for c in cohorts_of(rows, FOLDED, TASKS).cohorts.values() if c.level == "heldout"]
    mouse_of = {r.session: r.mouse for r in rows}
    held = [mouse for c in cohorts for mouse in {mouse_of[s] for s in c.held_out}]
    if cohorts:
        assert sorted(held) == sorted(set(mouse_of.values()))
    for cohort in cohorts:
        body = {mouse_of[s] for s in cohort.body}
        assert body.isdisjoint(mouse_of[s] for s in cohort.held_out)
        assert sorted((*cohort.body, *cohort.held_out)) == sorted(mouse_of)
        assert cohort.held_out


@pytest.mark.parametrize("rows", CATALOGUES)
def test_the_order_of_the_catalogue_changes_nothing(rows):
    shuffled = list(rows)
    random.Random(0).shuffle(shuffled)
    assert cohorts_of(shuffled, FOLDED, TASKS) == cohorts_of(rows, FOLDED, TASKS)


@pytest.mark.parametrize("folds", [2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_each_line_is_dealt_over_the_mouse_folds_as_evenly_as_it_goes(folds, seed):
    mice = {f"{line}{i}": line for line, n in zip(LINES, (6, 5, 7), strict=True) for i in range(n)}
    dealt = mouse_folds(mice, folds, seed)
    assert sorted(itertools.chain(*dealt)) == sorted(mice)
    for line in LINES:
        counts = [sum(mice[mouse] == line for mouse in fold) for fold in dealt]
        assert max(counts) - min(counts) <= 1
    sizes = [len(fold) for fold in dealt]
    assert max(sizes) - min(sizes) <= 1


def test_the_seed_deals_the_mice_otherwise():
    mice = {f"{line}{i}": line for line in LINES for i in range(6)}
    assert mouse_folds(mice, 3, 1) == mouse_folds(mice, 3, 1)
    assert len({str(mouse_folds(mice, 3, seed)) for seed in range(10)}) == 10


@pytest.mark.parametrize("mice", [(6,), (6, 1), (1, 1, 1)])
def test_no_mice_are_held_out_where_lines_could_not_be_told_apart(mice):
    cohorts = cohorts_of(catalogue(mice), FOLDED, TASKS).cohorts
    assert not any(name.startswith("all-without") for name in cohorts)


def test_the_simulated_cohort_makes_its_cohorts():
    cohorts = cohorts_of(catalogue((6, 6)), FOLDED, TASKS).cohorts
    levels = [cohort.level for cohort in cohorts.values()]
    assert [levels.count(level) for level in ("mouse", "genotype", "all", "heldout")] == [
        *(12, 2, 1, 3)
    ]
    assert list(cohorts)[-4:] == ["all", "all-without-0", "all-without-1", "all-without-2"]


def test_one_mouse_alone_is_no_cohort_of_its_line_or_of_all():
    assert list(cohorts_of([row("a"), row("b")], FOLDED, TASKS).cohorts) == ["mouse-1"]


def test_one_line_alone_is_not_pooled_again():
    names = list(cohorts_of(catalogue((3,)), FOLDED, TASKS).cohorts)
    assert names == ["mouse-Cux20", "mouse-Cux21", "mouse-Cux22", "genotype-Cux2-CreERT2"]


def test_a_level_that_is_not_asked_for_hides_none():
    options = CohortOptions(levels=("all",))
    assert list(cohorts_of(catalogue((3,)), options, TASKS).cohorts) == ["all"]


def test_names_are_safe_in_a_path():
    made = cohorts_of([row("a b/c", mouse="m 1"), row("d", mouse="m2")], FOLDED, TASKS)
    for cohort in made.cohorts.values():
        assert not set(" /") & set("".join((cohort.name, *cohort.body)))


def test_a_session_without_a_task_is_in_no_cohort_but_becomes_a_tensor():
    made = cohorts_of([row("a"), row("b", stimuli=("static_gratings",))], FOLDED, TASKS)
    assert made.convertible == ("a", "b")
    (excluded,) = made.excluded
    assert (excluded.session, excluded.stage, excluded.fault) == ("b", "decoders", False)
    assert "no task that this configuration decodes" in excluded.reason


def test_a_refused_session_is_in_no_cohort_and_is_a_fault():
    made = cohorts_of([row("a"), row("b", problem="b.nwb: broken.")], FOLDED, TASKS)
    assert made.convertible == ("a",)
    (excluded,) = made.excluded
    assert (excluded.reason, excluded.stage, excluded.fault) == ("b.nwb: broken.", "sessions", True)


@pytest.mark.parametrize("name", ["b", "b.nwb"])
@pytest.mark.parametrize("problem", ["", "b.nwb: broken."])
def test_a_session_that_the_user_excludes_is_no_fault_even_where_it_is_broken(name, problem):
    options = CohortOptions(exclude=(Exclusion(name, "the mouse was ill"),))
    made = cohorts_of([row("a"), row("b", problem=problem)], options, TASKS)
    assert made.convertible == ("a",)
    (excluded,) = made.excluded
    assert (excluded.reason, excluded.fault) == ("the mouse was ill", False)


def test_excluding_a_session_that_is_not_there_is_told():
    with pytest.raises(UserError, match=r"cohorts\.exclude: the session 'x' is not in the"):
        cohorts_of([row("a")], CohortOptions(exclude=(Exclusion("x"),)), TASKS)


def test_a_mouse_of_two_lines_is_refused():
    with pytest.raises(UserError, match=r"b\.nwb: the mouse 1 is of the Cre line Rorb"):
        cohorts_of([row("a"), row("b", line=LINES[1])], FOLDED, TASKS)


def test_no_session_makes_no_cohort():
    made = cohorts_of([], FOLDED, TASKS)
    assert made.cohorts == {} and made.excluded == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (CohortOptions(levels=()), r"cohorts\.levels"),
        (CohortOptions(mouse_folds=1), r"cohorts\.mouse_folds"),
        (CohortOptions(seed=-1), r"cohorts\.seed"),
        (CohortOptions(exclude=(Exclusion("a"), Exclusion("a"))), r"cohorts\.exclude.*2 times"),
    ],
)
def test_options_that_cannot_be_are_refused(options, said):
    with pytest.raises(UserError, match=said):
        options.check("cohorts")
