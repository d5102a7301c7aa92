"""The same questions to every registered domain: repeatable, varied, judged right, hard to guess, free of leaks."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from scene_draws import (
    DEFAULT,
    NAMES,
    STEPS,
    along_the_scale,
    commonest_colour_rate,
    drafts_along_the_scale,
    drawn_now,
    every_domain,
    problem_at,
)

import vlrl.verify  # noqa: F401  fills its registry
from vlrl.scenes.domain import domains, draw_problem, encode_png, with_split, worked_response
from vlrl.seeding import stream
from vlrl.types import MODALITIES, Problem
from vlrl.verify.judge import judge

OPERATIONS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


def images_of(problem: Problem) -> list[Image.Image]:
    return [Image.open(io.BytesIO(image.read_bytes())) for image in problem.images]


def pixels_of(problem: Problem) -> list[np.ndarray]:
    return [np.asarray(image) for image in images_of(problem)]


def value_of(expression: str) -> Fraction:
    """The exact value of an expression of numbers, + - * / and parentheses; ValueError for anything else."""

    def visit(node: ast.AST) -> Fraction:
        if isinstance(node, ast.Expression):
            return visit(node.body)
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
            return OPERATIONS[type(node.op)](visit(node.left), visit(node.right))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -visit(node.operand)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return Fraction(str(node.value))
        raise ValueError(expression)

    try:
        return visit(ast.parse(expression, mode="eval"))
    except SyntaxError as error:
        raise ValueError(expression) from error


def contradictions(thought: str, modulus: int | None = None) -> list[str]:
    """The steps such as `3+5=8` or `1<3` that are false."""
    false = []
    for step in re.findall(r"(?<![0-9)])-?[0-9(][0-9.+*/()-]*[<>=][0-9.+*/()<>=-]+", thought.rstrip(".")):
        sides = re.split(r"([<>=])", step.rstrip(".,;"))
        for left, sign, right in zip(sides[::2], sides[1::2], sides[2::2], strict=False):
            a, b = value_of(left), value_of(right)
            same = (a - b) % modulus == 0 if modulus else a == b
            if not {"=": same, "<": a < b, ">": a > b}[sign]:
                false.append(step)
    return false


def test_the_parser_of_steps_tells_right_from_wrong():
    assert contradictions("3+5=8 8+9=17 1<3 2*(3+1)=8 180-95.5=84.5") == []
    assert contradictions("3+5=9") == ["3+5=9"]
    assert contradictions("-40+2*2=-36 4/6=2/3") == []
    assert contradictions("-40+2*2=36") == ["-40+2*2=36"]
    assert contradictions("row 1: 2+0+1=3, then 3>4") == ["3>4"]
    assert contradictions("7*8=6", modulus=10) == []
    assert contradictions("7*8=7", modulus=10) == ["7*8=7"]


def test_there_are_more_than_thirty_domains_of_more_than_eight_families():
    kinds = Counter(domains.get(name).modality for name in NAMES)
    assert kinds["synthetic"] >= 36
    assert kinds["real"] >= 7
    assert kinds["text"] >= 1
    assert len({domains.get(name).family for name in NAMES}) >= 12


@every_domain
def test_a_domain_says_what_it_is(name):
    cls = domains.get(name)
    assert cls.name == name
    assert cls.family
    assert cls.modality in MODALITIES
    assert cls.__doc__
    assert cls.draw.__doc__
    assert not cls.__doc__.startswith(f"{cls.__name__}("), "the docstring is the one that dataclass writes"


@pytest.fixture(scope="module")
def drawn_in_another_process() -> dict[str, list[str]]:
    code = (
        "import json, vlrl.scenes\n"
        "from vlrl.scenes.domain import domains, draw_problem\n"
        "from vlrl.seeding import stream\n"
        "ids = lambda n, i, d: draw_problem(domains.build(n), stream(5, 'scenes', n, i), d)[0].id\n"
        "names = reversed(domains.names())\n"
        "print(json.dumps({n: [ids(n, i, d) for i, d in enumerate((0.0, 0.5, 1.0))] for n in names}))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@every_domain
def test_the_same_seed_gives_the_same_bytes_here_and_in_another_process(name, drawn_in_another_process):
    here = [drawn_now(name, i, d) for i, d in enumerate((0.0, 0.5, 1.0))]
    again = [drawn_now(name, i, d) for i, d in enumerate((0.0, 0.5, 1.0))]
    assert here == again
    assert [[im.read_bytes() for im in p.images] for p, _ in here] == [
        [im.read_bytes() for im in p.images] for p, _ in again
    ]
    assert [p.id for p, _ in here] == drawn_in_another_process[name]


@every_domain
def test_neighbouring_seeds_give_different_problems(name):
    ids = [problem_at(name, i)[0].id for i in range(21)]
    assert sum(a != b for a, b in pairwise(ids)) >= 19
    assert len(set(ids)) >= 17


@every_domain
def test_the_gold_answer_and_the_worked_response_score_one(name):
    for problem, response in along_the_scale(name, 33):
        for text in (response, worked_response("", problem.answer)):
            verdict = judge(problem, text)
            assert verdict.fault is None, (problem, verdict)
            assert verdict.correct, (problem, text, verdict)
            assert verdict.score == 1.0


def wrong_answers(problem: Problem) -> list[str]:
    gold = problem.answer
    if problem.verifier == "number":
        unit = str(problem.metadata.get("unit", ""))
        value = Fraction(gold.removesuffix(unit).strip())
        step = 1 + 2 * Fraction(str(problem.metadata.get("tolerance", 0)))
        near = [str(float(v)) if v.denominator != 1 else str(v) for v in (value + step, value - step)]
        return [*near, f"{gold} or {near[0]}", f"{gold}, {near[1]}", f"{gold}-{near[0]}", "many"]
    if problem.verifier == "choice":
        choices = [str(c) for c in problem.metadata["choices"]]
        others = [c for c in choices if c != gold]
        return [*others, " or ".join(choices), ", ".join(choices), f"not {gold}", f"{gold} or {others[0]}"]
    if problem.verifier == "time":
        hour, minute = map(int, gold.split(":"))
        late = f"{hour}:{(minute + 20) % 60:02d}"
        return [late, f"{hour % 12 + 1}:{minute:02d}", f"{gold} or {late}", "noonish", str(hour)]
    if problem.verifier == "point":
        x, y = (int(n) for n in re.findall(r"-?\d+", gold))
        far = 1 + 2 * int(problem.metadata.get("radius", 0))
        if "region" in problem.metadata:
            left, _, right, _ = problem.metadata["region"]
            far = right - left + 1
        return [f"({x + far}, {y})", f"({x - far}, {y})", f"{gold} or ({x + far}, {y})", f"{x}", f"({x}, {y}, 0)"]
    if problem.verifier == "box":
        a, b, c, d = (int(n) for n in re.findall(r"-?\d+", gold))
        other = f"[{a + (c - a) // 2}, {b + (d - b) // 2}, {c + (c - a) // 2}, {d + (d - b) // 2}]"
        return [
            other,
            f"{gold} or {other}",
            f"{gold}, {other}",
            "[0, 0, 1000, 1000]",
            f"[{a}, {b}, {c}]",
            f"[{c}, {d}, {a}, {b}]",
        ]
    return [f"{gold}x", f"{gold} or x", f"x{gold}", gold[:-1]]


@every_domain
def test_a_problem_has_one_right_answer_legible_labels_and_a_question_that_reads_well(name):
    for i, seen in enumerate(drafts_along_the_scale(name)):
        assert not seen.faults, (i, seen.faults)


@every_domain
def test_wrong_empty_and_hedging_answers_score_zero(name):
    for problem, _ in along_the_scale(name, 12):
        texts = [worked_response("", wrong) for wrong in wrong_answers(problem)]
        for text in [*texts, "", "<answer></answer>", "<think></think>", "I don't know."]:
            verdict = judge(problem, text)
            assert verdict.fault is None, (problem, text, verdict)
            assert verdict.score == 0.0, (problem.question, problem.answer, text, verdict)
            assert not verdict.correct


@every_domain
def test_the_ends_of_the_difficulty_scale_differ(name):
    pairs = [(problem_at(name, i, 0.0)[0], problem_at(name, i, 1.0)[0]) for i in range(8)]
    assert sum(easy.id != hard.id for easy, hard in pairs) >= 7


@every_domain
def test_no_question_answer_or_image_is_blank(name):
    for problem, _ in along_the_scale(name, 12):
        assert problem.question.replace("<image>", "").strip()
        assert problem.answer.strip()
        assert bool(problem.images) == (problem.modality != "text")
        for image in images_of(problem):
            assert image.mode == "RGB"
            assert commonest_colour_rate(image) < 0.995, problem.question


@every_domain
def test_the_thought_is_free_of_contradictions_and_ends_at_the_answer(name):
    drawn = [(response.removeprefix("<think>").split("</think>")[0], p) for p, response in along_the_scale(name, 20)]
    drawn += [(seen.draft.thought, seen.draft) for seen in drafts_along_the_scale(name)]
    for thought, shown in drawn:
        answer, metadata = shown.answer, shown.metadata
        assert thought, "a domain without a thought can't be demonstrated"
        assert contradictions(thought, metadata.get("modulus")) == []
        results = re.findall(r"=(-?[0-9./]+)", thought.rstrip("."))
        if results and domains.get(name).verifier == "number":
            unit = str(metadata.get("unit", ""))
            assert Fraction(results[-1].rstrip(".")) == Fraction(answer.removesuffix(unit).strip()), thought


@every_domain
def test_choices_state_the_chance_of_a_blind_guess(name):
    for draft in [seen.draft for seen in drafts_along_the_scale(name)]:
        if "choices" in draft.metadata:
            choices = draft.metadata["choices"]
            assert len(set(choices)) == len(choices)
            assert draft.answer in choices
            assert draft.guess_rate == pytest.approx(1 / len(choices))
            shown = draft.question.lower()
            assert {"yes", "no"} == set(choices) or all(str(c).lower() in shown for c in choices), "choices are named"


@every_domain
def test_the_file_holds_the_pixels_and_nothing_else(name):
    problems = [problem for problem, _ in along_the_scale(name, STEPS)]
    shapes = {tuple(pixels.shape for pixels in pixels_of(problem)) for problem in problems}
    assert len(shapes) == 1, "the size of the image depends on the problem"
    for problem in problems:
        for image, pixels in zip(problem.images, pixels_of(problem), strict=True):
            assert image.read_bytes() == encode_png(Image.fromarray(pixels))
            assert not re.findall(rb"tEXt|zTXt|iTXt|tIME|eXIf|pHYs", image.read_bytes())


@every_domain
def test_train_and_held_out_problems_share_no_image(name):
    made = domains.build(name)
    train, held_out = with_split(made, "train"), with_split(made, "held_out")
    if domains.get(name).modality == "real":
        assert train != held_out, "a domain over a finite pool of images needs a split"
    if train == held_out:
        return
    shown = [
        {
            image.digest
            for i in range(40)
            for image in draw_problem(split, stream(5, "scenes", name, i), DEFAULT)[0].images
        }
        for split in (train, held_out)
    ]
    assert not shown[0] & shown[1]
