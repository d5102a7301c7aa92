"""Traces cut behind their earliest right answer (STOP/ECN): what stays is right, shorter, a prefix and the end."""

from __future__ import annotations

import random

import pytest
from curation_cases import ask_text, asking

from vlrl.curation.selection.long_cot_warmup import WarmupSettings, sample_demonstrations
from vlrl.curation.selection.trimming import TrimSettings, trim, trim_report
from vlrl.types import Verdict
from vlrl.verify.judge import judge, verifiers
from vlrl.verify.traces.conclusions import first_declared
from vlrl.verify.traces.nodes import node_spans

PROBLEM = ask_text("Tom has 12 apples and eats 5. How many are left?")
THINKING = (
    "<think>Tom has 12 apples. He eats 5 of them, and 12 - 5 = 7. So 7 are left.\nWait, let me check.\n"
    "7 + 5 = 12. So the answer is 7.\n</think>\n\nTom has 7 apples left.\n<answer>7</answer>"
)
PLAIN = "He eats 5 of 12. Therefore 7 are left. Is that right? 7 + 5 = 12, which fits.\n\nThe answer is 7. Have fun!"
MENTIONED = (
    "So is it 7?", "Maybe the answer is 7.", "If 7 were left, so be it.", "Suppose the answer is 7.",
    "So it could be 7.", "Let me try 7.", "The answer isn't 7.", "Perhaps, so 7.", "Hypothesis: the answer is 7.",
    "What about 7, so to say.", "I wonder whether the answer is 7.", "The answer would be 7.",
)  # fmt: skip


def cut(response, problem=PROBLEM, **settings):
    return trim(problem, response, TrimSettings(**settings))


def test_what_stands_behind_the_earliest_right_answer_goes_and_the_end_stays():
    assert cut(THINKING).text == (
        "<think>Tom has 12 apples. He eats 5 of them, and 12 - 5 = 7. So 7 are left."
        "\n</think>\n\nTom has 7 apples left.\n<answer>7</answer>"
    )
    assert cut(PLAIN).text == "He eats 5 of 12. Therefore 7 are left.\n\nThe answer is 7. Have fun!"
    assert cut(THINKING, concludes="last_value").text.startswith(
        "<think>Tom has 12 apples. He eats 5 of them, and 12 - 5 = 7.\n</"
    )


def test_a_trace_whose_right_answer_is_at_its_end_stays_as_it_is():
    for response in (
        "<think>He eats 5 of 12.\nSo 7 are left.\n</think>\n<answer>7</answer>",
        "He eats 5 of 12.\nTherefore 7 are left.\n<answer>7</answer>",
        "He eats 5 of 12. So 7 are left.",
        "<answer>7</answer>",
        "7",
    ):
        assert cut(response).text == response
        assert cut(response).why != "cut"


@pytest.mark.parametrize("said", MENTIONED)
@pytest.mark.parametrize("concludes", ["statement", "last_value"])
def test_an_answer_that_is_asked_supposed_or_denied_concludes_nothing(said, concludes):
    response = f"<think>He has 12. {said} He eats 5.\nThen there are fewer.</think><answer>7</answer>"
    assert cut(response, concludes=concludes).text == response


def test_a_wrong_conclusion_on_the_way_stays_in_front_of_the_right_one():
    response = "<think>So 6 are left. No, 12 - 5 isn't 6. So 7 are left. Yes, 7.</think><answer>7</answer>"
    assert cut(response).text == "<think>So 6 are left. No, 12 - 5 isn't 6. So 7 are left.</think><answer>7</answer>"


def test_tags_stay_in_pairs_whichever_block_is_cut():
    two = "<think>So 7 are left. Or so.</think> Let me see. <think>I count once more.</think><answer>7</answer>"
    assert cut(two).text == "<think>So 7 are left.</think><answer>7</answer>"
    between = "<think>Twelve less five.</think> So 7 are left. More. <think>Once more.</think><answer>7</answer>"
    assert cut(between).text == "<think>Twelve less five.</think> So 7 are left.<answer>7</answer>"
    opened_by_the_prompt = "So 7 are left. I count once more.\n</think>\n<answer>7</answer>"
    assert cut(opened_by_the_prompt).text == "So 7 are left.\n</think>\n<answer>7</answer>"


def test_step_markers_part_nodes_of_a_calculation():
    to_8, to_9 = ask_text("1+-~?", "8"), ask_text("1+-~?", "9")
    checked, corrected = "+2-1~8;+2-1~8<answer>8</answer>", "+2-1~8;+2-1~9 <answer>9</answer>"
    assert cut(checked, to_8, concludes="last_value").text == checked
    given = {"concludes": "last_value", "separators": (";",)}
    assert cut(checked, to_8, **given).text == "+2-1~8<answer>8</answer>"
    assert cut(corrected, to_9, **given).text == corrected


def test_of_any_trace_what_stays_is_right_no_longer_and_a_prefix_with_the_end():
    """Sentences in random order, thinking or not; by both ways to conclude."""
    pieces = [
        "So 7 are left.",
        "So 6 are left.",
        "Is it 7?",
        "12 - 5 = 7.",
        "Wait.",
        "Hm, maybe 7.",
        "\\boxed{7}",
        "Five.",
    ]
    draw = random.Random(3)
    whys = set()
    for number in range(60):
        body = draw.choice([" ", "\n"]).join(draw.choices(pieces, k=draw.randrange(1, 7)))
        whole = f"<think>{body}</think>\n<answer>7</answer>" if number % 2 else f"{body}\n\nThe answer is 7."
        if not judge(PROBLEM, whole).correct:
            continue
        way = draw.choice(["statement", "last_value"])
        kept = cut(whole, concludes=way)
        whys.add(kept.why)
        assert judge(PROBLEM, kept.text).correct
        assert (len(kept.text) < len(whole)) == (kept.why == "cut")
        shared = next((i for i, (a, b) in enumerate(zip(kept.text, whole, strict=False)) if a != b), len(kept.text))
        assert any(whole.endswith(kept.text[i:]) for i in range(shared + 1))
        assert cut(kept.text, concludes=way).text == kept.text
        assert kept.text.endswith("<answer>7</answer>" if number % 2 else "The answer is 7.")
    assert {"cut", "nothing behind it"} <= whys


def test_what_is_not_right_again_stays_whole(temporarily):
    def checked(problem, response):
        sound = "7" in response and (len(response) < 30 or "check" in response)
        return Verdict.right("7") if sound else Verdict.wrong("unchecked")

    temporarily(verifiers, checked=checked)
    kept = cut(THINKING, ask_text("Left?", verifier="checked"))
    assert (kept.text, kept.why) == (THINKING, "not right again")


def test_the_warm_up_chooses_among_what_stays_and_off_changes_nothing(tmp_path):
    long = THINKING + "\nDone."
    short = "<think>12 less 5, which I know by heart from school, is what is left here.</think><answer>7</answer>"
    ask, _ = asking(lambda problem: [long, short, "<answer>8</answer>"], tmp_path)
    off = sample_demonstrations([PROBLEM], WarmupSettings(samples=3, prompt="{question}"), ask)
    assert [one.response for one in off.demonstrations] == [short]
    assert "trimmed" not in {**off.record(), **off.provenance[0]}
    given = {"samples": 3, "prompt": "{question}", "keep": 2, "trim": {"pairs": True}}
    on = sample_demonstrations([PROBLEM], WarmupSettings(**given), ask)
    assert [one.response for one in on.demonstrations] == [short, cut(long).text]
    assert [(one["trimmed"], one["chars_kept"] < 1) for one in on.provenance] == [
        ("no right node", False),
        ("cut", True),
    ]
    assert on.record()["trimmed"]["responses"]["cut"] == 1
    assert on.record()["overthinking"]["overthinking/first_answer_accuracy"] == pytest.approx(2 / 3)
    assert [(pair.chosen, pair.rejected) for pair in on.preferences] == [(cut(long).text, long)]


def test_two_responses_that_are_one_when_they_are_cut_are_one(tmp_path):
    other = THINKING.replace("let me check.", "let me go through it once more.")
    ask, _ = asking(lambda problem: [THINKING, other], tmp_path)
    given = {"samples": 2, "prompt": "{question}", "keep": 2}
    assert len(sample_demonstrations([PROBLEM], WarmupSettings(**given), ask).demonstrations) == 2
    made = sample_demonstrations([PROBLEM], WarmupSettings(**given, trim={}), ask)
    assert (len(made.demonstrations), made.rejected) == (1, {"the same response again": 1})


def test_the_report_counts_every_right_response_once():
    kept = [cut(THINKING), cut(PLAIN), cut("7"), cut("Seven.\n<answer>7</answer>")]
    assert sum(trim_report(kept)["responses"].values()) == 4
    assert 0 < trim_report(kept)["chars_kept"] < 1
    assert trim_report([])["chars_kept"] == 1.0


def test_the_first_answer_that_is_declared_counts_right_or_wrong():
    nodes = ["So the total is 12.", "Is the answer 7?", "The answer is 6.", "The answer is 7."]
    assert first_declared(PROBLEM, nodes).correct is False
    assert first_declared(PROBLEM, nodes[:2]) is None
    assert first_declared(PROBLEM, nodes[3:]).correct


def test_nodes_are_the_text_between_ends_of_sentences():
    text = "One. Two 3.5!\n---\n因为。所以 <think>so</think>"
    assert [text[a:b] for a, b in node_spans(text)] == ["One.", "Two 3.5!", "因为。", "所以", "so"]
