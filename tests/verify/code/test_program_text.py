"""Which program a response holds: one, or none and why."""

from __future__ import annotations

import pytest

from vlrl.verify.code.program_text import program_text

A = "```python\nprint(1)\n```"


@pytest.mark.parametrize(
    "response",
    [
        A,
        f"So:\n\n{A}\nDone.",
        f"<think>```python\nprint(2)\n```</think>{A}",
        f"<answer>\n{A}\n</answer>",
        f"First idea:\n```python\nprint(2)\n```\n<answer>\n{A}\n</answer>",
        "```py\nprint(1)\n```",
        "```Python3\nprint(1)\n```",
        "```python title=a.py\nprint(1)\n```",
        "```\nprint(1)\n```",
        "~~~python\nprint(1)\n~~~",
        "````python\nprint(1)\n````",
        f"Run it:\n```bash\npython a.py\n```\n{A}\nOutput:\n```text\n1\n```",
        f"{A}\nwhich prints\n```\n1\n```",
        f"{A}\nThe same again:\n{A}",
    ],
)
def test_one_program_is_found(response):
    found = program_text(response, "python")
    assert (found.source, found.language) == ("print(1)\n", "python"), found.note


@pytest.mark.parametrize(
    ("response", "note"),
    [
        ("print(1)", "no python code block"),
        ("", "no python code block"),
        ("```python\n\n```", "no python code block"),
        ("```cpp\nint main() {}\n```", "no python code block"),
        (f"{A}\nor\n```python\nprint(2)\n```", "2 programs"),
        ("```\nprint(1)\n```\n```\nprint(2)\n```", "2 programs"),
        ("```python\nprint(1)\n", "not closed"),
        (f"{A}\n```python\nprint(1)", "not closed"),
        (f"<think>{A}", "no python code block"),
        (f"<answer>{A}</answer><answer>```python\nprint(2)\n```</answer>", "2 answers"),
        ("```python\n" + "x = 1\n" * 20000 + "```", "characters"),
    ],
)
def test_no_program_and_two_programs_are_none(response, note):
    found = program_text(response, "python")
    assert found.source is None
    assert note in found.note


def test_a_fence_inside_a_longer_one_is_text():
    found = program_text("````python\nx = '''\n```\n'''\n````", "python")
    assert found.source == "x = '''\n```\n'''\n"


def test_any_language_is_the_one_that_the_block_names():
    found = program_text("```c++\nint main() {}\n```", "any")
    assert (found.source, found.language) == ("int main() {}\n", "cpp")
    assert program_text("```\nint main() {}\n```", "any").source is None
    assert "2 programs" in program_text(f"{A}\n```bash\nls\n```", "any").note
