"""Extraction: one declared answer, or none and the reason."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlrl.verify.reading.declared import boxed, extract
from vlrl.verify.values.shown_text import visible_text


@pytest.mark.parametrize(
    ("response", "answer", "how"),
    [
        ("<think>5</think><answer>6</answer>", "6", "tag"),
        ("<ANSWER> 6 </ANSWER>", "6", "tag"),
        ("<answer>\\boxed{6}</answer>", "6", "tag"),
        ("<answer>The answer is 6</answer>", "6", "tag"),
        ("So it is \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}", "box"),
        ("\\boxed{\\text{a {b} c}}", "\\text{a {b} c}", "box"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}", "box"),
        ("\\fbox{6}", "6", "box"),
        ("\\boxed{\\boxed{6}}", "6", "box"),
        ("\\boxed{6} and again \\boxed{6}", "6", "box"),
        ('{"answer": 6}', "6", "json"),
        ('```json\n{"reason": "x", "final_answer": "six"}\n```', "six", "json"),
        ("[1, 2, 3]", "[1, 2, 3]", "json"),
        ("Well. The answer is 6.", "6.", "phrase"),
        ("**Answer:** 6", "6", "phrase"),
        ("3 + 3 = 6\nA: 6", "6", "phrase"),
        ("3 + 3 = 6\n#### 6", "6", "phrase"),
        ("Final Answer: The final answer is $6$. I hope it is correct.", "$6$.", "phrase"),
        ("six", "six", "line"),
        ("I count them. There are 6 in all.", "There are 6 in all.", "sentence"),
    ],
)
def test_each_form_of_answer_is_found(response: str, answer: str, how: str):
    found = extract(response)
    assert (found.answer, found.how) == (answer, how)


@pytest.mark.parametrize(
    ("response", "note"),
    [
        ("", "empty response"),
        ("<think>6</think>", "nothing outside the thinking"),
        ("<think>\\boxed{6}", "nothing outside the thinking"),
        ("\\boxed{6}</think>", "nothing outside the thinking"),
        ("<answer>6", "an <answer> tag is not closed or not opened"),
        ("6</answer>", "an <answer> tag is not closed or not opened"),
        ("<answer></answer>", "empty answer"),
        ("<answer>6</answer><answer>7</answer>", "more than one answer"),
        ("\\boxed{6} \\boxed{7}", "more than one answer"),
        ("The answer is 6. The answer is 7.", "more than one answer"),
        ('{"answer": 6, "answer": 7}', "more than one answer"),
        ("<answer>6</answer> \\boxed{7}", "the tag and a box differ"),
        ("<answer>6</answer> or maybe 7", "the answer is taken back or hedged after it is given"),
        ("The answer is 6. Or maybe 7.", "the answer is taken back or hedged after it is given"),
        ("6\n7", "several short answers"),
        ('{"answer": 6', "malformed JSON"),
    ],
)
def test_what_declares_no_single_answer_gives_none_and_says_why(response: str, note: str):
    found = extract(response)
    assert found.answer is None
    assert found.note == note


def test_a_final_answer_after_several_boxes_outranks_them():
    assert extract("\\boxed{1} so \\boxed{2}. Final answer: 3").answer == "3"
    assert extract("\\boxed{1}. Final answer: \\boxed{2}").answer is None


def test_an_explanation_may_follow_the_answer():
    assert extract("The answer is (B). No bird is green, so it can't be A.").answer == "(B)."


@pytest.mark.parametrize("tag", ["think", "thinking", "THINK"])
def test_thinking_is_cut_out_wherever_it_stands(tag: str):
    assert visible_text(f"a<{tag}>b</{tag}>c") == "ac"
    assert visible_text(f"a<{tag}>b") == "a"
    assert visible_text(f"b</{tag}>c") == "c"
    assert visible_text(f"a<{tag}>b<{tag}>c</{tag}>d</{tag}>e") == "ae"


@given(st.text(alphabet="ab{}\\ x", max_size=60))
def test_the_content_of_a_box_is_always_balanced(text: str):
    for content in boxed("\\boxed{" + text):
        plain = content.replace("\\\\", "").replace("\\{", "").replace("\\}", "")
        depth = 0
        for char in plain:
            depth += (char == "{") - (char == "}")
            assert depth >= 0
        assert depth == 0


@given(st.text(max_size=200))
def test_thought_text_never_changes_the_answer(thought: str):
    thought = thought.replace("think", "").replace("THINK", "").replace("◁", "")
    assert extract(f"<think>{thought}</think><answer>6</answer>").answer == "6"


@given(st.text(max_size=400))
def test_no_text_breaks_the_extraction(text: str):
    found = extract(text)
    assert (found.answer is None) == bool(found.note)


@pytest.mark.parametrize(
    "unit", ["<answer>", "\\boxed{", "{", "[", "<think>", "the answer is ", "A: ", "$", "**", "\n", "a. "]
)
def test_time_grows_with_the_length_and_no_faster(unit: str):
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        start = time.process_time()
        extract(text)
        return time.process_time() - start

    assert seconds(1_000_000) < 1.0


@pytest.mark.parametrize(
    "unit", ["the ", "final ", "the answer is ", "answer is\n", "Final answer: 6 ", "The answer is 6. "]
)
def test_a_megabyte_of_cues_costs_little(unit: str):
    start = time.process_time()
    extract(unit * (1_000_000 // len(unit)))
    assert time.process_time() - start < 1.5  # 0.1 s; a cue with endless adjectives took 6 s
