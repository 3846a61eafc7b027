"""What stands in files and catalogues is data: it runs nothing and writes nowhere else."""

from __future__ import annotations

import csv
import json
import re

import pytest
import yaml
from workflow_files import ROOT, Checkout, add_session, layout, rules_of

HOSTILE = {
    "spaces": "two words  and more",
    "quotes": 'it\'s "quoted" `id`',
    "semicolon": "a; touch pwned; b",
    "substitution": "$(touch pwned) ${HOME} `touch pwned`",
    "upward": "../../../pwned",
    "newline": "first\ntouch pwned\n",
    "non-ascii": "Mäuschen → 鼠 \u202e",
    "braces": "{wildcards.session} {config} %s",
    "options": "--out=pwned -rf",
    "long": "x" * 300,
}


def hostile_folder(checkout: Checkout, kinds: dict[str, str]) -> None:
    """Sessions whose every text is hostile, in a file whose name is too where a name can be."""
    folder = checkout.root / "mine's $(touch pwned); é"
    folder.mkdir()
    for kind, text in kinds.items():
        written = add_session(folder, kind, cells=5)
        name = re.sub(r"[/\n{}]", " ", text)[:100].lstrip(".")
        path = written.rename(folder / f"{name}.nwb")
        with layout_file(path) as file:
            for where in (layout.SESSION_ID, layout.SUBJECT_ID, layout.AREA):
                del file[where]
                file[where] = text.encode()
            del file[layout.GENOTYPE]
            file[layout.GENOTYPE] = f"{text}/wt".encode()
    config = yaml.safe_load((checkout.root / "tiny.yaml").read_text())
    config["sessions"] = {"source": "folder"}
    config["nwb_dir"] = str(folder)
    (checkout.root / "hostile.yaml").write_text(yaml.safe_dump(config))


def layout_file(path):
    import h5py

    return h5py.File(path, "a")


def everything_below(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def nothing_ran(checkout: Checkout, before: set[str]) -> None:
    """No text became a command, and nothing new stands outside results and Snakemake's folder."""
    above = checkout.root.parent
    new = everything_below(above) - before
    allowed = (f"{checkout.root.name}/results", f"{checkout.root.name}/.snakemake")
    assert not {path for path in new if not path.startswith(allowed)}
    assert not list(above.rglob("*pwned"))


def test_texts_of_headers_become_names_that_are_safe_in_a_path_and_a_shell(checkout):
    """Up to a whole decoder of each mouse and each genotype: a plan, and the sessions for real."""
    hostile_folder(checkout, HOSTILE)
    before = everything_below(checkout.root.parent)
    checkout.made("tensors", "--configfile", "hostile.yaml")
    nothing_ran(checkout, before)
    manifests = list((checkout.results / "tensors").glob("*.json"))
    assert len(manifests) == len(HOSTILE)
    ids = {json.loads(path.read_text())["session"] for path in manifests}
    assert {" ".join(text.split()) for text in HOSTILE.values()} <= {
        " ".join(text.split()) for text in ids
    }
    jobs = checkout.jobs("--configfile", "hostile.yaml")
    for job in jobs:
        wildcards = job.partition(":")[2]
        assert all(c.isascii() and (c.isalnum() or c in "._-,") for c in wildcards), job
    assert sum(job.startswith("train_decoder:mouse-") for job in jobs) == len(HOSTILE)


def test_a_file_whose_name_snakemake_cannot_take_is_refused_by_a_sentence(checkout):
    add_session(checkout.root, "a").rename(checkout.root / "{a}.nwb")
    run = checkout.snakemake(
        "--dry-run", "tensors", "--configfile", "config/local.yaml", "--config", "nwb_dir=."
    )
    said = run.stdout + run.stderr
    assert run.returncode != 0
    assert "{a}.nwb: Snakemake takes braces" in said and "rename the file" in said


@pytest.mark.slow
def test_a_whole_path_of_hostile_texts_is_made(checkout):
    few = {kind: HOSTILE[kind] for kind in ("substitution", "quotes")}
    hostile_folder(checkout, few)
    before = everything_below(checkout.root.parent)
    checkout.edit("hostile.yaml", "mouse_folds: 2", "levels: [mouse]")
    checkout.made("--configfile", "hostile.yaml")
    nothing_ran(checkout, before)
    with (checkout.results / "tables" / "decoding.csv").open() as file:
        sessions = {row["session"] for row in csv.DictReader(file)}
    assert set(few.values()) & sessions, "tables carry the texts as they are"


@pytest.mark.parametrize(
    ("kind", "text"), [item for item in HOSTILE.items() if item[0] != "newline"]
)
def test_a_catalogue_of_hostile_names_is_read_as_data(checkout, kind, text):
    folder = checkout.root / "mine"
    folder.mkdir()
    add_session(folder, "a")
    cell = text.replace("\t", " ")
    (folder / "list.tsv").write_text(f"session\tfile\tgenotype\n{cell}\ta.nwb\t{cell}/wt\n")
    (checkout.root / "own.yaml").write_text(
        "sessions: {source: catalogue, catalogue: mine/list.tsv}\n"
    )
    before = everything_below(checkout.root.parent)
    run = checkout.snakemake("--dry-run", "--configfile", "own.yaml", "--quiet", "reason")
    assert run.returncode == 0 and "Traceback" not in run.stderr, run.stderr[-3000:]
    nothing_ran(checkout, before)


@pytest.mark.parametrize("file", ["../../outside.nwb", "/etc/passwd", "gone.nwb"])
def test_a_catalogue_that_names_no_session_is_refused_by_its_sentence(checkout, file):
    (checkout.root / "list.tsv").write_text(f"session\tfile\none\t{file}\n")
    (checkout.root / "own.yaml").write_text("sessions: {source: catalogue, catalogue: list.tsv}\n")
    run = checkout.snakemake("--dry-run", "--configfile", "own.yaml")
    said = run.stdout + run.stderr
    assert "Traceback" not in said and file.rpartition("/")[2] in said
    assert "convert_session" not in rules_of(checkout.jobs("--configfile", "own.yaml"))


@pytest.mark.parametrize(
    "key", ["nwb_dir=$(touch pwned)", "nwb_dir=; touch pwned", "nwb_dir=../.."]
)
def test_a_folder_given_on_the_command_line_is_a_folder(checkout, key):
    before = everything_below(checkout.root.parent)
    arguments = ("--dry-run", "--configfile", "config/local.yaml", "--config", key)
    run = checkout.snakemake(*arguments)
    assert "Traceback" not in run.stderr
    nothing_ran(checkout, before)


def test_nothing_evaluates_a_configuration_or_unpickles_a_file():
    """No eval, exec, pickle or unsafe YAML anywhere in what a run executes."""
    unsafe = ("eval(", "exec(", "pickle", "yaml.load(", "yaml.unsafe", "os.system(", "shell=True")
    for file in [*(ROOT / "workflow").rglob("*.py"), *(ROOT / "workflow").rglob("*.smk")]:
        lines = file.read_text().splitlines()
        for number, line in enumerate(lines, 1):
            code = line.split("#")[0].replace(".eval()", "").replace("allow_pickle=False", "")
            assert not any(word in code for word in unsafe), f"{file}:{number}: {line}"
            assert "torch.load(" not in code or "weights_only=True" in code, f"{file}:{number}"
            if "np.load(" in code:
                assert "allow_pickle=True" not in code, f"{file}:{number}"
