"""Faults of the configuration as sentences: which key, what was found, what was expected, where."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import yaml
from glassbox.configuration import checked, read_schema
from glassbox.decoders.options import DecoderOptions
from glassbox.errors import UserError
from glassbox.options import options_from
from glassbox.sections import SECTIONS, check_sections
from glassbox.tensors.tasks import TASKS

WORKFLOW = Path(__file__).parents[2] / "workflow"
SCHEMA = read_schema(WORKFLOW / "schemas" / "config.schema.yaml")


def refusal(tmp_path, text: str) -> str:
    file = tmp_path / "my.yaml"
    file.write_text(text)
    config = yaml.safe_load(text)
    with pytest.raises(UserError) as error:
        check_sections(checked(config, SCHEMA, [file]), [file])
    return str(error.value)


def test_a_key_that_does_not_exist_is_named_with_its_line_and_its_likeness(tmp_path):
    said = refusal(tmp_path, "decoders:\n  seeds: [1]\n  epoch: 3\n")
    assert said.startswith("decoders.epoch: no such option (")
    assert "my.yaml, line 3)" in said
    assert "Did you mean epochs?" in said


def test_a_section_that_does_not_exist_is_named(tmp_path):
    assert refusal(tmp_path, "decoder: {}\n").startswith("decoder: no such option (")


def test_a_value_of_the_wrong_type_says_what_was_expected(tmp_path):
    said = refusal(tmp_path, "dictionaries:\n  width: wide\n")
    assert said.startswith("dictionaries.width: expected a whole number; found 'wide' (")
    assert "my.yaml, line 2)" in said


def test_a_value_in_a_list_is_named_by_its_place(tmp_path):
    said = refusal(tmp_path, "decoders:\n  folds:\n    - 0\n    - first\n")
    assert said.startswith("decoders.folds[1]: expected a whole number; found 'first' (")
    assert "line 4" in said


def test_a_value_out_of_its_choices_names_them(tmp_path):
    said = refusal(tmp_path, "sessions: {source: disk}\n")
    assert "expected one of simulated, folder, catalogue, allen; found 'disk'" in said


def test_values_that_do_not_fit_each_other_are_found_with_their_line(tmp_path):
    said = refusal(tmp_path, "dictionaries:\n  k: 16\n  width: 20\n")
    assert "at least 2 × k = 32; found 20" in said
    assert "my.yaml, line 3)" in said


def test_a_fault_is_looked_for_in_the_last_file_that_sets_it(tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("dictionaries: {width: 64}\n")
    second.write_text("\n\ndictionaries: {width: x}\n")
    with pytest.raises(UserError, match=r"second.yaml, line 3"):
        checked({"dictionaries": {"width": "x"}}, SCHEMA, [first, second])


def test_a_value_that_stands_in_no_file_was_set_on_the_command_line(tmp_path):
    with pytest.raises(UserError, match=r"set on the command line"):
        checked({"nwb_dir": 3}, SCHEMA, [])


def test_the_defaults_of_the_schema_are_those_of_the_options():
    filled = checked({}, SCHEMA)
    for name, cls in SECTIONS.items():
        assert options_from(cls, filled[name], name) == cls(), name


def test_the_schema_in_the_repository_is_the_one_that_the_options_make():
    spec = importlib.util.spec_from_file_location(
        "write_config_schema", WORKFLOW / "schemas" / "write_config_schema.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.FILE.read_text() == module.text(), "run `make schema`"


def test_every_task_can_be_asked_for():
    """With the window of its stimulus, behaviour beside a task of a stimulus."""
    for task in TASKS.values():
        tasks = [task.name] if task.stimulus else ["direction", task.name]
        options = options_from(DecoderOptions, {"tasks": tasks}, "decoders")
        assert all(options.n_samples(stimulus) > 0 for stimulus in options.stimuli)
