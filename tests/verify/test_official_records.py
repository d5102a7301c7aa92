"""The published scorers' rules against the verdicts that were published with real model outputs."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from vlrl.verify.official import gsm8k, mathvision, mathvista, mmmu, tabmwp

pytestmark = pytest.mark.real_data


def rows(name):
    return [
        json.loads(line) for line in (Path(os.environ["VLRL_DATA"]) / name).read_text(encoding="utf-8").splitlines()
    ]


@pytest.mark.parametrize("rule", mathvista.INTEGER_RULES)
def test_mathvista_verdicts_from_recorded_extractions(rule):
    problems = {row["pid"]: row for row in rows("mathvista/testmini.jsonl")}
    differing, right = [], 0
    for row in rows("mathvista/outputs_bard.jsonl"):
        problem = problems[row["pid"]]
        metadata = (problem["choices"], problem["question_type"], problem["answer_type"], problem["precision"])
        correct = mathvista.prediction(row["extraction"], *metadata, rule) == problem["answer"]
        right += correct
        if correct != row["true_false"]:
            differing.append(row["pid"])
    assert (differing, right) == ([], 348)


def test_mmmu_letters_open_verdicts_and_total():
    rng = random.Random(mmmu.SEED)
    letters = opens = right = 0
    for row in rows("mmmu/outputs_llava1.5_13b_val.jsonl"):
        answers = row["answer"] if isinstance(row["answer"], list) else [row["answer"]]
        if row["question_type"] == "multiple-choice":
            letter = mmmu.parse_choice(row["response"], row["index2ans"])
            assert (letter is None) == row["random_fallback"]
            letters += letter is not None and letter == row["official_parsed"]
            correct = (letter or mmmu.draw_choice(row["index2ans"], rng)) in answers
        else:
            correct = mmmu.open_is_right(mmmu.parse_open(row["response"]), answers)
            opens += correct == row["official_correct"]
        right += correct
    assert (letters, opens, right) == (845, 53, 330)


def test_mmmu_pro_letters_and_total():
    letters = right = 0
    for row in rows("mmmu_pro/outputs_gpt-4o_standard10_direct.jsonl"):
        letter = mmmu.parse_pro_choice(row["response"], mmmu.letters(row["options"]))
        assert (letter is None) == row["random_fallback"]
        letters += letter is not None and letter == row["pred_indexs"]
        right += letter == row["answer"]
    assert (letters, right) == (1723, 694)


def test_mathvision_extractions_and_verdicts():
    problems = {row["raw_id"]: row for row in rows("mathvision/gold_half.jsonl")}
    extractions = verdicts = 0
    for row in rows("mathvision/outputs_gemini_pro_cot.jsonl"):
        problem, extraction = problems[row["raw_id"]], mathvision.extract(row["response"])
        extractions += extraction == row["model_answer"]
        verdicts += mathvision.is_right(problem["answer"], problem["options"], extraction) == row["correct"]
    assert (extractions, verdicts) == (1520, 1520)


def test_tabmwp_verdicts():
    same, right = 0, 0
    for row in rows("tabmwp/outputs_gpt3_2shot_cot_TQ-SA.jsonl"):
        prediction = tabmwp.extract(row["response"], row["choices"] or [])
        correct = prediction is not None and tabmwp.is_right(row["answer"], prediction, row["unit"])
        same += correct == row["true_false"]
        right += correct
    assert (same, right) == (500, 297)


def test_gsm8k_verdicts():
    solutions = rows("gsm8k/model_solutions.jsonl")
    same = [gsm8k.is_right(row["answer"], gsm8k.extract(row["response"])) == row["is_correct"] for row in solutions]
    assert sum(same) == len(same) == 2640
