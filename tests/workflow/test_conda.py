"""Each rule in an environment of its own, made by conda or by the tests' stand-in for it."""

from __future__ import annotations

import json
import re
import sys

import pytest
import yaml
from slurm_runs import MANIFEST, SESSION, plant, submitted
from tiny_nwb import tiny_nwb
from workflow_files import ROOT, Checkout, bytes_of

sys.path.append(str(ROOT / "tests" / "peers"))
from allen_stand_in import FIRST, NWB, AllenStandIn, layout, record

pytestmark = pytest.mark.conda
CONFIG = ("--configfile", "tiny.yaml")
COMPUTED = ("tables", "tensors", "units", "interventions")

LOOK = """

rule look:
    output:
        "look.json"
    conda:
        "envs/{env}.yaml"
    shell:
        "python look.py > {{output}}"
"""
LOOKS = """
import importlib.metadata, importlib.util, json, sys
names = ["snakemake", "pytest", "numpy", "h5py", "torch"]
seen = {name: importlib.util.find_spec(name) is not None for name in names}
seen["prefix"] = sys.prefix
seen["versions"] = {name: importlib.metadata.version(name) for name in names if seen[name]}
print(json.dumps(seen))
"""


def run_with(conda, checkout: Checkout, *arguments: str, **variables: str):
    return checkout.made(*arguments, *conda.arguments, PATH=conda.path, **variables)


def test_a_package_that_only_the_controller_has_is_not_importable_in_a_rule(conda, checkout):
    """Though the user's PYTHONPATH leads to it."""
    env = "tensors"
    with (checkout.root / "Snakefile").open("a") as file:
        file.write(LOOK.format(env=env))
    (checkout.root / "look.py").write_text(LOOKS)
    controllers = next(path for path in sys.path if path.endswith("site-packages"))
    run_with(conda, checkout, "look.json", *CONFIG, PYTHONPATH=controllers)
    seen = json.loads((checkout.root / "look.json").read_text())
    assert seen["prefix"].startswith(str(conda.prefix))
    assert not seen["snakemake"] and not seen["pytest"], "the controller's own"
    assert not seen["torch"], "another stage's"
    pins = yaml.safe_load((ROOT / "envs" / f"{env}.yaml").read_text())["dependencies"][-1]["pip"]
    for name in ("numpy", "h5py"):
        assert f"{name}=={seen['versions'][name]}" in pins


def test_containerize_writes_a_dockerfile_that_copies_every_environment(conda, checkout):
    done = checkout.made("--containerize", *CONFIG, PATH=conda.path)
    instructions = parsed(done.stdout)
    assert instructions[0][0] == "FROM" and instructions[0][1]
    copied = {words.split()[0]: words.split()[1] for name, words in instructions if name == "COPY"}
    used = set(re.findall(r"envs/\w+\.yaml", "".join(rules_text(checkout))))
    assert set(copied) == used
    made = " ".join(words for name, words in instructions if name == "RUN")
    for file in copied.values():
        assert f"--file {file}" in made


def rules_text(checkout: Checkout) -> list[str]:
    return [path.read_text() for path in (checkout.root / "workflow" / "rules").glob("*.smk")]


def parsed(dockerfile: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in dockerfile.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    known = {"FROM", "LABEL", "RUN", "COPY", "ADD", "ENV", "WORKDIR"}
    assert all(name in known for name, _, _ in found), [name for name, _, _ in found]
    return [(name, words) for name, _, words in found]


@pytest.mark.slow
def test_the_whole_path_with_an_environment_for_each_rule_makes_the_same_tables(
    conda, checkout, tiny_run
):
    run_with(conda, checkout, *CONFIG)
    for folder in COMPUTED:
        assert bytes_of(checkout.results / folder) == bytes_of(
            tiny_run.checkout.results / folder
        ), folder


NUMPY_OF = """
if any(a.endswith(".py") for a in sys.orig_argv):
    from importlib.metadata import version
    script = next(Path(a).stem for a in sys.orig_argv if a.endswith(".py"))
    with open(Path({notes!r}) / "numpy", "a") as file:
        file.write(script + " " + version("numpy") + "\\n")
"""
SMALL = {
    "cohorts": {"levels": ["mouse"]},
    "decoders": {
        **{"epochs": 1, "dim": 16, "latents": 4, "heads": 2, "min_cells": 3, "folds": [0]},
        "baselines": ["gaussian_naive_bayes"],
    },
}


@pytest.mark.slow
def test_the_old_numpy_of_allensdk_and_the_numpy_of_the_decoder_serve_one_run(
    conda, checkout, tmp_path
):
    """A session is fetched by allensdk, converted, and decoded."""
    house = AllenStandIn(records=[record(FIRST)])
    about = {layout.SESSION_ID: str(FIRST), layout.OPHYS_EXPERIMENT_ID: str(FIRST)}
    whole = tiny_nwb(tmp_path / "whole.nwb", metadata=about, cells=6, trials=200)
    house.add_file(FIRST, NWB, whole.read_bytes())
    notes = tmp_path / "notes"
    plant(checkout, "no script", NUMPY_OF.format(notes=str(notes)))
    config = yaml.safe_load((checkout.root / "config" / "allen.yaml").read_text()) | SMALL
    with house.running():
        config["sessions"]["allen"] = {"server": house.address}
        (checkout.root / "mine.yaml").write_text(yaml.safe_dump(config))
        run_with(conda, checkout, "catalogue", "--configfile", "mine.yaml")
        run_with(conda, checkout, "decoders", "--configfile", "mine.yaml")
    used = dict(line.split() for line in (notes / "numpy").read_text().splitlines())
    pinned = {
        env: re.search(r"- numpy==(\S+)", (ROOT / "envs" / f"{env}.yaml").read_text()).group(1)
        for env in ("allensdk", "tensors", "decoders")
    }
    assert used["fetch_catalogue"] == used["fetch_session"] == pinned["allensdk"]
    assert pinned["allensdk"].startswith("1.") and pinned["decoders"].startswith("2.")
    assert used["convert_session"] == pinned["tensors"]
    assert used["train_decoder"] == used["fit_reference"] == pinned["decoders"]
    assert list((checkout.results / "decoders").glob("mouse-*/decoder.json"))


@pytest.mark.slow
@pytest.mark.slurm
def test_environments_serve_the_jobs_of_a_cluster(conda, slurm_cluster, checkout, tiny_run):
    planted = plant(checkout, "no script")
    submitted(checkout, MANIFEST, *conda.arguments, PATH=conda.path).ends_well()
    prefixes = planted.prefixes()
    assert prefixes and all(prefix.startswith(str(conda.prefix)) for prefix in prefixes)
    tensor = f"tensors/{SESSION}.zarr"
    assert bytes_of(checkout.results / tensor) == bytes_of(tiny_run.checkout.results / tensor)


@pytest.mark.slow
def test_environments_are_made_beforehand_for_nodes_without_internet(conda, checkout):
    run_with(conda, checkout, "--conda-create-envs-only", *CONFIG)
    listed = run_with(conda, checkout, "--list-conda-envs", *CONFIG).stdout
    for env in (ROOT / "envs").glob("*.yaml"):
        # Nothing of a simulated cohort is fetched.
        assert (f"envs/{env.name}" in listed) == (env.stem != "allensdk")
