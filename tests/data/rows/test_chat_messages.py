"""What stands beside a message's content is read with it, or the row is refused by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from vlrl.data.rows.prompt_template import Asking
from vlrl.data.rows.row_to_problem import RowReader
from vlrl.data.source_settings import FileSourceSettings
from vlrl.errors import BadRowError, ConfigError

ASKED = {"role": "user", "content": "1 + 2?"}
SAID = {"role": "assistant", "content": "<answer>3</answer>"}


def response(*messages: dict, **columns) -> str:
    made = {"name": "rows", "path": "org/name", "modality": "text", "verifier": "number", "layout": "chat"}
    row = {"messages": list(messages), **columns}
    held = RowReader(FileSourceSettings(**made), Path(".")).problem(row, "rows.jsonl, line 7")[1]
    assert held is not None
    return held.response


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning", "thinking"])
def test_a_chain_of_thought_beside_a_response_is_read_as_chat_templates_write_it(key):
    assert response(ASKED, {**SAID, key: " one and two \n"}) == "<think>\none and two\n</think>\n\n<answer>3</answer>"
    parts = [{"type": "thinking", "thinking": "one and two", "signature": "x"}, {"type": "text", "text": "It is 3"}]
    found = response(ASKED, {"role": "assistant", "content": parts}, answer="3")
    assert found == "<think>\none and two\n</think>\n\nIt is 3"


def test_a_chain_of_thought_that_the_response_holds_already_is_read_once():
    content = "<think>\none and two\n</think>\n\n<answer>3</answer>"
    assert response(ASKED, {"role": "assistant", "content": content, "reasoning_content": "one and two"}) == content


@pytest.mark.parametrize(
    ("asked", "said", "message"),
    [
        ({**ASKED, "reasoning_content": "hm"}, SAID, "reasoning_content"),
        ({**ASKED, "from": "gpt"}, SAID, "of 'user' and of 'gpt'"),
        (ASKED, {**SAID, "from": "human"}, "of 'assistant' and of 'human'"),
        (ASKED, {**SAID, "refusal": "no"}, "refusal"),
        (ASKED, {**SAID, "loss": False}, "loss"),
        (ASKED, {**SAID, "weight": 0}, "weight"),
        (ASKED, {**SAID, "thinking": "a", "reasoning": "b"}, "several chains of thought"),
        (ASKED, {"role": "assistant", "content": "<think>a</think> 3", "thinking": "b"}, "another beside it"),
    ],
)
def test_what_can_not_be_read_of_a_message_is_refused(asked, said, message):
    with pytest.raises(BadRowError, match=message) as caught:
        response(asked, said)
    assert "line 7" in caught.value.place
    assert caught.value.remedy


def test_two_names_of_one_role_and_marks_that_say_nothing_are_no_fault():
    marked = {**SAID, "from": "gpt", "reasoning_content": "", "refusal": None, "loss": True, "annotations": []}
    assert response({**ASKED, "from": "human", "loss": False}, marked) == SAID["content"]


def test_what_stands_beside_messages_in_one_object_is_refused():
    made = FileSourceSettings(
        name="rows", path="org/name", modality="text", verifier="number", columns={"question": "q"}, layout="chat"
    )
    whole = {"messages": [ASKED, SAID], "images": ["a.png"]}
    for given in (whole, json.dumps(whole)):
        with pytest.raises(BadRowError, match="'images' beside its messages"):
            RowReader(made, Path(".")).problem({"messages": given}, "rows.jsonl, line 7")


@pytest.mark.parametrize(
    "row",
    [
        {"messages": [{"role": "system", "content": "Count."}, ASKED, SAID]},
        {"messages": [ASKED, SAID], "system": "Count."},
        {"messages": json.dumps([{"role": "system", "content": [{"type": "text", "text": "Count."}]}, ASKED, SAID])},
        {"query": "1 + 2?", "response": "<answer>3</answer>", "system": "Count."},
        {"messages": [{"role": "system", "content": "Count."}, ASKED, SAID], "system": "Count."},
    ],
)
def test_a_rows_own_system_message_is_left_out_and_said_so_or_kept(row):
    made = {"name": "rows", "path": "org/name", "modality": "text", "verifier": "number", "layout": "ms-swift"}
    for keep, system in (("leave_out", None), ("keep", "Count.")):
        reader = RowReader(FileSourceSettings(**made, system_messages=keep), Path("."))
        problem, _ = reader.problem(row, "rows.jsonl, line 7")
        assert problem.system == system
        assert ("system message" in reader.unread) == (keep == "leave_out")
    plain = Asking().of(replace(problem, system=None))
    kept = Asking(template="{question} Now.").of(problem)
    assert (kept.system, kept.question, kept.content_id) == ("Count.", "1 + 2? Now.", plain.content_id)
    with pytest.raises(ConfigError, match="beside a system_prompt"):
        FileSourceSettings(**made, system_messages="keep", system_prompt="Be brief.")


def test_two_system_messages_that_differ_are_refused():
    said = [{"role": "system", "content": "Count."}, ASKED, SAID]
    with pytest.raises(BadRowError, match="something else than the system message"):
        response(*said, system="Guess.")
