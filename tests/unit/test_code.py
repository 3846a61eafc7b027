"""The hash of a script's code: what changes it and what does not."""

from __future__ import annotations

from modulefinder import ModuleFinder
from pathlib import Path

import pytest
from glassbox import code

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "workflow"
SCRIPTS = sorted((HOUSE / "scripts").glob("*.py"))

SCRIPT = """
'''A script.'''
def main():
    from glassbox.near import work
    return work()
"""
MODULES = {
    "__init__.py": "",
    "near.py": "'''Near.'''\nfrom glassbox.pack import far\n\ndef work():\n    return far.x\n",
    "pack/__init__.py": "",
    "pack/far.py": "from .beside import y\nx = y\n",
    "pack/beside.py": "y = 1\n",
    "apart.py": "z = 1\n",
}


@pytest.fixture
def house(tmp_path):
    for name, text in MODULES.items():
        file = tmp_path / "glassbox" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "script.py").write_text(SCRIPT)
    return tmp_path


def hash_of(house: Path, kept: code.Kept | None = None) -> str:
    code._read.cache_clear()
    return code.code_of_script(house / "script.py", house, kept)


def test_the_closure_follows_lazy_relative_and_package_imports(house):
    hash_of(house)
    assert code.closure(house / "script.py", house) == {
        "glassbox",
        "glassbox.near",
        "glassbox.pack",
        "glassbox.pack.far",
        "glassbox.pack.beside",
    }


@pytest.mark.parametrize("name", ["near.py", "pack/far.py", "pack/beside.py", "pack/__init__.py"])
def test_an_edit_of_meaning_anywhere_in_the_closure_changes_the_hash(house, name):
    before = hash_of(house)
    with (house / "glassbox" / name).open("a") as file:
        file.write("\nmore = 2\n")
    assert hash_of(house) != before


def test_an_edit_of_the_script_changes_the_hash(house):
    before = hash_of(house)
    (house / "script.py").write_text(SCRIPT.replace("work()", "work() + 1"))
    assert hash_of(house) != before


def test_an_edit_outside_the_closure_changes_nothing(house):
    before = hash_of(house)
    (house / "glassbox" / "apart.py").write_text("z = 2\n")
    assert hash_of(house) == before


def test_comments_docstrings_and_blank_lines_change_nothing(house):
    before = hash_of(house)
    near = house / "glassbox" / "near.py"
    near.write_text(
        "'''Another docstring.'''\n\n\n# a comment\nfrom glassbox.pack import far\n\n"
        "def work():\n    '''What it does.'''\n    return far.x  # here\n"
    )
    assert hash_of(house) == before


def test_what_is_kept_from_start_to_start_gives_the_same_hash_and_parses_nothing(
    house, monkeypatch
):
    file = house / "kept" / "code.json"
    before = hash_of(house)
    assert hash_of(house, code.Kept(file)) == before
    kept = code.Kept(file)
    monkeypatch.setattr(code, "_parsed", None)
    assert hash_of(house, kept) == before


def test_an_edit_is_seen_past_what_is_kept(house):
    file = house / "code.json"
    before = hash_of(house, code.Kept(file))
    with (house / "glassbox" / "pack" / "beside.py").open("a") as beside:
        beside.write("\nimport glassbox.apart\n")
    after = hash_of(house, code.Kept(file))
    assert after == hash_of(house) != before


@pytest.mark.parametrize("damage", ["", "{", "[1]", "null"])
def test_a_damaged_or_unwritable_file_of_what_is_kept_changes_nothing(house, damage):
    file = house / "code.json"
    file.write_text(damage)
    before = hash_of(house)
    assert hash_of(house, code.Kept(file)) == before
    assert hash_of(house, code.Kept(house / "script.py" / "no folder")) == before


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_closure_of_each_script_has_all_that_the_compiled_bytecode_imports(script):
    """`modulefinder` reads the import instructions of bytecode: another way to the same set."""
    finder = ModuleFinder(path=[str(HOUSE)])
    finder.run_script(str(script))
    found = {name for name in finder.modules if name.split(".")[0] == "glassbox"}
    assert found <= code.closure(script, HOUSE)
    assert found


def test_the_library_has_no_dynamic_import():
    for file in (HOUSE / "glassbox").rglob("*.py"):
        text = file.read_text()
        assert "importlib" not in text and "__import__" not in text, file
