"""docs/one_step.md says how a step of reinforcement learning goes: it is run, and its calls are those of the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scripts_as_modules import script

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/one_step.md").read_text()
LINE = re.compile(r"^( *)([A-Za-z_.]+) +([a-z_0-9/]+)\.py(?:: .*)?$")
BARS = {"types": 11, "functions": 39, "files": 35}  # eight types go from stage to stage, three stay within one


def told() -> list[tuple[int, tuple[str, str]]]:
    """(depth, (module, function)) of each line of the page's tree."""
    (tree,) = re.findall(r"```\n(one_rl_step .*?)```", PAGE, re.DOTALL)
    found = []
    for line in tree.splitlines():
        indent, name, file = LINE.match(line).groups()
        module = "one_rl_step" if file.startswith("examples/") else "vlrl." + file.replace("/", ".")
        found.append((len(indent) // 2, (module, name)))
    return found


@pytest.fixture(scope="module")
def walk():
    return script("scripts/docs/step_walk.py").walk_example()


def test_each_line_of_the_tree_is_called_by_the_one_that_it_is_set_in_from(walk):
    above: list[tuple[str, str]] = []
    for depth, function in told():
        above[depth:] = [function]
        if depth:
            assert function in walk.calls.get(above[depth - 1], []), f"{above[depth - 1]} doesn't call {function}"
        else:
            assert function in walk.calls, function


def test_each_line_of_the_table_is_a_function_of_its_file_that_the_step_enters(walk):
    rows = re.findall(r"^\| \d+ \| `(vlrl/[^`]+)\.py` \| ([^|]+) \|", PAGE, re.MULTILINE)
    assert len(rows) >= 16
    listed = {function for _, function in told()}
    for file, cell in rows:
        module = file.replace("/", ".")
        for name in re.findall(r"`([A-Za-z_.]+)`", cell):
            entered = {of for of in walk.functions if of[0] == module and name in (*of[1].split("."), of[1])}
            assert entered, f"{file} has no {name} that the step enters"
            assert entered & listed, f"the tree leaves {name} out"


def test_what_there_is_to_know_is_as_much_as_the_page_says(walk):
    """Every further type, function or file is one more for a reader: the page is to stay short."""
    nouns = re.findall(r"^\| `([A-Z]\w+)` \|", PAGE, re.MULTILINE)
    within = re.findall(r"`([A-Z]\w+)`", PAGE.partition("Three more stay within one stage")[2].partition("\n\n")[0])
    types = {*nouns, *within}
    assert types <= set(walk.made)
    assert len(nouns) == 8
    assert len(types) == BARS["types"]
    functions, files = len(told()), len({module for _, (module, _) in told()})
    assert f"This is {functions} functions in {files} files" in PAGE
    assert functions <= BARS["functions"]
    assert files <= BARS["files"]


def test_what_a_step_enters_is_no_more_than_the_page_says(walk):
    tree = {function for _, function in told()}
    beside = {called for caller in tree for called in walk.calls[caller]} - tree
    (others,) = re.search(r"bodies call at most (\d+) others", PAGE).groups()
    assert 0.8 * int(others) < len(beside & set(walk.functions)) <= int(others)
    functions, modules = re.search(r"at most (\d+) functions in (\d+) modules", PAGE).groups()
    assert 0.8 * int(functions) < len(walk.functions) <= int(functions)
    assert 0.8 * int(modules) < len(walk.modules) <= int(modules)
