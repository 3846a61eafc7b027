"""The environments: exact pins, the same everywhere, and all that the rules import."""

from __future__ import annotations

import ast
import re
import sys

import pytest
import yaml
from glassbox.code import closure
from workflow_files import ROOT

HOUSE = ROOT / "workflow"
ENVS = sorted((ROOT / "envs").glob("*.yaml"))
DISTRIBUTION = {
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "lightning_fabric": "lightning-fabric",
}
RULE = re.compile(r"^rule (\w+):\n(.*?)(?=^rule |\Z)", re.MULTILINE | re.DOTALL)
# The controller's own: modules that the Snakefile uses and no job's environment needs.
CONTROLLER = {"snakemake", "jsonschema", "yaml"}


def pins(lines) -> dict[str, str]:
    exact = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line) for line in exact), exact
    return dict(line.split("==") for line in exact)


def pins_of(env) -> dict[str, str]:
    dependencies = yaml.safe_load(env.read_text())["dependencies"]
    (inside,) = [part["pip"] for part in dependencies if isinstance(part, dict)]
    return pins(inside)


def required(name: str) -> dict[str, str]:
    return pins((ROOT / "envs" / name).read_text().splitlines())


@pytest.mark.parametrize("env", ENVS, ids=lambda path: path.stem)
def test_the_pins_of_an_environment_are_those_of_the_requirements(env):
    if env.stem == "allensdk":  # alone, and all of them: another solve breaks it
        assert pins_of(env) == required("requirements-allensdk.txt")
    else:
        assert pins_of(env).items() <= required("requirements.txt").items()
    plain = [p for p in yaml.safe_load(env.read_text())["dependencies"] if isinstance(p, str)]
    assert all(re.fullmatch(r"(python|pip)=[0-9.]+", pin) for pin in plain)


@pytest.mark.parametrize(
    "name", sorted(path.name for path in (ROOT / "envs").glob("requirements-*.txt"))
)
def test_every_other_requirement_is_pinned(name):
    assert pins((ROOT / "envs" / name).read_text().splitlines())


def rules_with_environment():
    for file in sorted((HOUSE / "rules").glob("*.smk")):
        for rule, body in RULE.findall(file.read_text()):
            if "$SCRIPTS" in body:
                env = re.search(r'"\.\./\.\./envs/(\w+)\.yaml"', body)
                assert f'"$SCRIPTS/{rule}.py"' in body, "a rule and its script share their name"
                yield rule, env.group(1) if env else None


def imports_of(script) -> set[str]:
    """The packages that a script and its closure import, but for the standard library's."""
    files = [script]
    for module in closure(script, HOUSE):
        path = HOUSE.joinpath(*module.split("."))
        files.append(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
    names = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.split(".")[0])
    return names - {"glassbox"} - set(sys.stdlib_module_names) - CONTROLLER


@pytest.mark.parametrize(("rule", "env"), sorted(rules_with_environment()))
def test_the_environment_of_a_rule_has_what_its_script_imports(rule, env):
    has = pins_of(ROOT / "envs" / f"{env}.yaml")
    needs = {DISTRIBUTION.get(name, name) for name in imports_of(HOUSE / "scripts" / f"{rule}.py")}
    assert needs <= set(has), needs - set(has)


# It looks at results as they are; a rule would have them made again first.
WITHOUT_RULE = {"verify_results"}


def test_every_script_has_a_rule_of_its_name():
    rules = {rule for rule, _ in rules_with_environment()}
    assert rules == {path.stem for path in (HOUSE / "scripts").glob("*.py")} - WITHOUT_RULE
