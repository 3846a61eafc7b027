"""Which sessions of the stored Allen catalogue are chosen, and what is refused by a sentence."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest
from glassbox.errors import UserError
from glassbox.options import options_from
from glassbox.sessions.allen_catalogue import (
    AllenSession,
    read_allen_catalogue,
    write_allen_catalogue,
)
from glassbox.sessions.allen_options import AllenOptions
from glassbox.sessions.allen_selection import choose_sessions, read_ids

LINES, AREAS, DEPTHS = ("Cux2-CreERT2", "Rorb-IRES2-Cre"), ("VISp", "VISl"), ("175", "275")
TYPES = ("three_session_A", "three_session_B")


def catalogue() -> list[AllenSession]:
    """Three sessions of each line, area, depth and type; one of them of a container that failed."""
    kinds = itertools.product(range(3), LINES, AREAS, DEPTHS, TYPES)
    made = [
        AllenSession(
            session=str(500_000_000 + number),
            container=str(number // 2),
            mouse=str(100_000 + number // 2),
            cre_line=line,
            area=area,
            depth_um=depth,
            session_type=session_type,
            failed="false",
            link=f"http://there/{number}",
        )
        for number, (_, line, area, depth, session_type) in enumerate(kinds)
    ]
    return [replace(made[0], failed="true"), *made[1:]]


def chosen(sessions=None, listed=(), **options) -> list[str]:
    given = options_from(AllenOptions, options, "sessions.allen")
    return [s.session for s in choose_sessions(sessions or catalogue(), given, listed)]


def test_without_filters_all_sessions_but_those_that_failed_are_chosen():
    assert chosen() == [session.session for session in catalogue()[1:]]
    assert chosen(failed=True) == [session.session for session in catalogue()]


@pytest.mark.parametrize(
    ("option", "column", "wanted"),
    [
        ("cre_lines", "cre_line", ["Rorb-IRES2-Cre"]),
        ("areas", "area", ["VISl"]),
        ("depths_um", "depth_um", [275]),
        ("session_types", "session_type", ["three_session_B"]),
    ],
)
def test_a_filter_keeps_exactly_what_it_names(option, column, wanted):
    left = set(chosen(**{option: wanted}))
    named = {str(value) for value in wanted}
    for session in catalogue()[1:]:
        assert (session.session in left) == (getattr(session, column) in named)


def test_filters_hold_together():
    both = chosen(cre_lines=[LINES[0]], areas=["VISp"])
    assert set(both) == set(chosen(cre_lines=[LINES[0]])) & set(chosen(areas=["VISp"]))


def test_ids_are_those_of_the_list_and_of_the_file():
    ids = chosen(ids=[500_000_003], listed=["500000007"])
    assert ids == ["500000003", "500000007"]
    assert chosen(ids=[500_000_003], session_types=["three_session_B"], listed=["500000006"]) == [
        "500000003"
    ]


def test_at_most_so_many_of_each_group_are_chosen():
    by_name = {session.session: session for session in catalogue()}
    few = chosen(per_group=2, group=["cre_line", "area"])
    groups = [(by_name[name].cre_line, by_name[name].area) for name in few]
    assert sorted(groups) == sorted(2 * list(itertools.product(LINES, AREAS)))


def test_a_choice_does_not_depend_on_the_order_of_the_catalogue():
    mixed = catalogue()
    random.Random(0).shuffle(mixed)
    assert chosen(mixed, per_group=3) == chosen(per_group=3)


def test_more_of_a_group_adds_sessions_and_takes_none_away():
    before: set[str] = set()
    for count in range(1, 25):
        now = set(chosen(per_group=count))
        assert now >= before and len(now) <= 2 * count
        before = now
    assert before == set(chosen())


def test_another_seed_takes_others():
    assert len({tuple(chosen(per_group=2, seed=seed)) for seed in range(5)}) > 1


def test_a_session_that_is_added_replaces_at_most_one_of_its_group():
    before = set(chosen(per_group=3))
    one_more = [*catalogue(), replace(catalogue()[1], session="500000900")]
    after = set(chosen(one_more, per_group=3))
    assert len(after - before) <= 1 and len(before - after) <= 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"cre_lines": ["Cux2"]},
            r"cre_lines: no session .* has 'Cux2'; known are Cux2-CreERT2, Rorb-IRES2-Cre\.",
        ),
        ({"areas": ["V1"]}, r"areas: no session .* has 'V1'; known are VISl, VISp\."),
        ({"depths_um": [200]}, r"depths_um: no session .* has '200'; known are 175, 275\."),
        (
            {"session_types": ["A"]},
            r"session_types: .* known are three_session_A, three_session_B\.",
        ),
        ({"ids": [1, 500_000_003]}, r"ids: 1 of 2 ids is not in the catalogue, the first 1;"),
    ],
)
def test_a_name_that_no_session_has_is_refused_with_those_that_are_known(options, said):
    with pytest.raises(UserError, match=said):
        chosen(**options)


def test_where_nothing_is_left_it_is_said_after_which_filter():
    with pytest.raises(UserError, match=r"48 in the catalogue, 47 after failed, .* 0 after ids"):
        chosen(ids=[500_000_002], session_types=["three_session_B"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"per_group": -1}, "per_group: expected a number of sessions"),
        ({"group": []}, "group: expected some of cre_line"),
        ({"group": ["line"]}, "expected one of cre_line"),
        ({"server": "api.brain-map.org"}, "server: expected an address that begins with http"),
        ({"server": "http://a", "manifest": "b"}, "server: .* give one of the two"),
        ({"ids": ["527745328"]}, "expected a whole number"),
        ({"seed": -1}, "seed: expected a whole number"),
    ],
)
def test_options_that_cannot_be_are_refused(options, said):
    with pytest.raises(UserError, match=said):
        options_from(AllenOptions, options, "sessions.allen")


def test_a_file_of_ids_has_remarks_and_empty_lines(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("# mine\n527745328  # gratings\n\n 527676626\n")
    assert read_ids(path) == ["527745328", "527676626"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\ntwo\n", "line 2: expected the id of a session, digits alone; found 'two'"),
        ("1,2\n", "line 1: .*found '1,2'"),
        ("# nothing\n", "the file names no session"),
    ],
)
def test_a_broken_file_of_ids_is_refused_with_its_line(tmp_path, text, said):
    path = tmp_path / "ids.txt"
    path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_ids(path)
    with pytest.raises(UserError, match=r"ids_file: .* cannot be read"):
        read_ids(tmp_path / "gone.txt")


def test_a_stored_catalogue_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "allen.tsv"
    strange = AllenSession(session="1", genotype='a "quoted"; line', link="http://there/1?a=b")
    write_allen_catalogue(path, [*catalogue(), strange])
    assert read_allen_catalogue(path) == [strange, *catalogue()]


def test_what_ends_a_cell_or_a_line_ends_none_in_the_stored_catalogue(tmp_path):
    path = tmp_path / "allen.tsv"
    write_allen_catalogue(path, [AllenSession(session="1", genotype="a\tb\nc\u2028d")])
    assert read_allen_catalogue(path)[0].genotype == "a b c d"


def test_a_stored_catalogue_that_is_missing_empty_or_double_is_told(tmp_path):
    path = tmp_path / "allen.tsv"
    with pytest.raises(UserError, match="not here yet; give this command first"):
        read_allen_catalogue(path)
    write_allen_catalogue(path, [])
    with pytest.raises(UserError, match=r"no session\. To ask anew, delete"):
        read_allen_catalogue(path)
    write_allen_catalogue(path, [AllenSession("1"), AllenSession("1")])
    with pytest.raises(UserError, match="the session 1 stands there twice"):
        read_allen_catalogue(path)
