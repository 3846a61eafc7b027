"""Plans of config/allen.yaml on a small stored catalogue: no server, no allensdk."""

from __future__ import annotations

import itertools

import pytest
import yaml
from glassbox.sessions import layout
from glassbox.sessions.allen_catalogue import AllenSession, write_allen_catalogue
from workflow_files import Checkout, jobs_of, rules_of, tiny_nwb

STORED = "results/sessions/allen.tsv"
CONFIG = ("--configfile", "config/allen.yaml")
LINES = ("Cux2-CreERT2", "Rorb-IRES2-Cre")
STIMULI = {"three_session_A": "drifting_gratings;spontaneous", "three_session_B": "static_gratings"}


def sessions(asked: str = "") -> list[AllenSession]:
    """Six sessions of type A of each of two lines and areas, and as many of type B."""
    kinds = itertools.product(range(6), LINES, ("VISp", "VISl"), STIMULI)
    return [
        AllenSession(
            session=str(500_000_000 + number),
            container=str(number // 2),
            mouse=str(100_000 + number // 2),
            cre_line=line,
            area=area,
            depth_um="275",
            session_type=session_type,
            stimuli=STIMULI[session_type],
            failed="false",
            link=f"http://there.example/{number}",
            events_link=f"http://there.example/e{number}" if number % 16 else "",
            nwb_file=f"ophys_experiment_data/{500_000_000 + number}.nwb" if asked else "",
            asked=asked,
        )
        for number, (_, line, area, session_type) in enumerate(kinds)
    ]


@pytest.fixture
def stored(checkout) -> Checkout:
    """A copy whose catalogue was asked for before."""
    write_allen_catalogue(checkout.root / STORED, sessions())
    return checkout


def of_rule(jobs, rule: str) -> set[str]:
    return {job.split(":")[1] for job in jobs if job.startswith(f"{rule}:")}


def configured(checkout: Checkout, **allen: object) -> tuple[str, ...]:
    config = yaml.safe_load((checkout.root / "config" / "allen.yaml").read_text())
    config["sessions"]["allen"] |= allen
    (checkout.root / "mine.yaml").write_text(yaml.safe_dump(config))
    return ("--configfile", "mine.yaml")


def refusal(run) -> str:
    said = run.stdout + run.stderr
    assert run.returncode != 0 and "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    return line


@pytest.mark.parametrize("target", ["all", "sessions"])
def test_without_a_catalogue_a_sentence_says_which_command_comes_first(checkout, target):
    said = refusal(checkout.snakemake("--dry-run", target, *CONFIG))
    assert "give this command first" in said
    assert said.endswith("snakemake --cores 1 catalogue --configfile config/allen.yaml")
    assert not (checkout.results / "sessions" / "catalogue.tsv").exists()


def test_the_catalogue_is_planned_without_one(checkout):
    assert set(checkout.jobs("catalogue", *CONFIG)) == {"fetch_catalogue", "catalogue"}


def test_the_configuration_plans_the_whole_path_for_four_sessions_of_each_line(stored):
    jobs = stored.jobs(*CONFIG)
    fetched = of_rule(jobs, "fetch_session")
    by_name = {session.session: session for session in sessions()}
    assert len(fetched) == 8 and of_rule(jobs, "convert_session") == fetched
    assert {by_name[name].area for name in fetched} == {"VISp"}
    assert {by_name[name].session_type for name in fetched} == {"three_session_A"}
    for line in LINES:
        assert sum(by_name[name].cre_line == line for name in fetched) == 4
    decoders = of_rule(jobs, "train_decoder")
    assert {"all", *(f"genotype-{line}" for line in LINES), "all-without-0"} <= decoders
    assert "fetch_catalogue" not in rules_of(jobs)
    assert {"ablate_genotype", "draw_ablation"} <= rules_of(jobs)


def test_a_list_of_ids_is_meant_from_where_the_command_is_typed(stored):
    wanted = [session.session for session in sessions() if session.area == "VISl"][:2]
    (stored.root / "ids.txt").write_text("\n".join(wanted))
    given = configured(stored, ids_file="ids.txt", areas=[], session_types=[], per_group=0)
    jobs = stored.jobs("tensors", *given)
    assert of_rule(jobs, "fetch_session") == set(wanted)


def test_a_name_that_no_session_has_is_refused_before_any_job(stored):
    run = stored.snakemake("--dry-run", *configured(stored, cre_lines=["Cux2"]))
    assert "has 'Cux2'; known are Cux2-CreERT2, Rorb-IRES2-Cre." in refusal(run)


def test_a_catalogue_of_someone_else_is_refused(stored):
    run = stored.snakemake("--dry-run", *configured(stored, server="http://mirror.example"))
    said = refusal(run)
    assert "this catalogue is of the Allen API" in said and "names http://mirror.example" in said
    assert f"delete {STORED}" in said


def test_a_session_without_a_file_is_refused_and_the_others_are_planned(checkout):
    first, *others = sessions()
    lacking = AllenSession(**{**vars(first), "link": ""})
    write_allen_catalogue(checkout.root / STORED, [lacking, *others])
    jobs = checkout.jobs("tensors", "report_refused", *configured(checkout, per_group=0))
    assert first.session not in of_rule(jobs, "fetch_session")
    assert len(of_rule(jobs, "fetch_session")) == 11


def test_events_are_fetched_where_they_are_asked_for_and_sessions_without_are_refused(stored):
    given = configured(stored, per_group=0, cre_lines=["Cux2-CreERT2"])
    assert "fetch_events" not in rules_of(stored.jobs("tensors", *given))
    with (stored.root / "mine.yaml").open("a") as file:
        file.write("tensors: {signal: events}\n")
    run = stored.made("--dry-run", "tensors", *given, "--quiet", "reason")
    jobs = jobs_of(run.stdout + run.stderr)
    wanted = [s for s in sessions() if (s.cre_line, s.area) == ("Cux2-CreERT2", "VISp")]
    wanted = [s for s in wanted if s.session_type == "three_session_A"]
    have = {s.session for s in wanted if s.events_link}
    assert of_rule(jobs, "fetch_events") == of_rule(jobs, "fetch_session") == have
    for session in wanted:
        sentence = f"excluded: {session.session}: tensors.signal is events, and there is no file"
        assert (sentence in run.stderr + run.stdout) == (session.session not in have)


def test_events_that_a_simulated_session_lacks_are_one_sentence(checkout):
    config = checkout.root / "events.yaml"
    config.write_text("tensors: {signal: events}\n")
    said = refusal(checkout.snakemake("--dry-run", "tensors", "--configfile", config))
    assert "_events.npz: tensors.signal is events" in said and "signal: dff" in said


def test_of_a_folder_of_allensdk_the_sessions_that_lie_there_are_used_in_place(checkout):
    write_allen_catalogue(checkout.root / STORED, sessions(asked="boc"))
    here = [s for s in sessions() if s.area == "VISp" and s.session_type == "three_session_A"][:3]
    data = checkout.root / "boc" / "ophys_experiment_data"
    data.mkdir(parents=True)
    (data.parent / "manifest.json").write_text("{}")
    for session in here:
        tiny_nwb(data / f"{session.session}.nwb", metadata={layout.SUBJECT_ID: session.container})
    jobs = checkout.jobs(*configured(checkout, manifest="boc"))
    assert of_rule(jobs, "convert_session") == {session.session for session in here}
    assert "fetch_session" not in rules_of(jobs)
    mice = {name for name in of_rule(jobs, "train_decoder") if name.startswith("mouse-")}
    assert mice == {f"mouse-{session.mouse}" for session in here}, "the catalogue's mice"
    run = checkout.snakemake("--dry-run", *configured(checkout, manifest="elsewhere"))
    assert "no manifest of allensdk is here" in refusal(run)
