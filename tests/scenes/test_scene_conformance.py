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
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import vlrl.scenes
import vlrl.verify  # noqa: F401  both fill their registries
from vlrl.scenes.contract import faults_of
from vlrl.scenes.domain import domains, draw_problem, encode_png, with_split, worked_response
from vlrl.seeding import stream
from vlrl.types import MODALITIES, Problem
from vlrl.verify.judge import judge

NAMES = [name for name in domains if domains.get(name).__module__.startswith("vlrl.")]  # not those of other tests
every_domain = pytest.mark.parametrize("name", NAMES)
DEFAULT = 0.5  # the difficulty of statistical questions
OPERATIONS = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


def problem_at(name: str, index: int, difficulty: float = DEFAULT) -> tuple[Problem, str]:
    problem, shown = draw_problem(domains.build(name), stream(5, "scenes", name, index), difficulty)
    return problem, shown.response


def small(name: str):
    """The domain with images of 200 px, where statistics need many: what is asked does not depend on the size."""
    has_size = "size" in domains.get(name).__dataclass_fields__
    return domains.build({"name": name, "size": 200} if has_size else name)


def drafts(name: str, count: int, difficulty: float = DEFAULT):
    """Drafts without their images, which would fill the memory."""
    made = small(name)
    return [replace(made.draw(stream(6, "scenes", name, i), difficulty), images=()) for i in range(count)]


def pixels_of(problem: Problem) -> list[np.ndarray]:
    return [np.asarray(Image.open(io.BytesIO(image.read_bytes()))) for image in problem.images]


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
    here = [problem_at(name, i, d) for i, d in enumerate((0.0, 0.5, 1.0))]
    again = [problem_at(name, i, d) for i, d in enumerate((0.0, 0.5, 1.0))]
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
def test_hardly_any_two_of_many_problems_show_the_same_images(name):
    if domains.get(name).modality == "text":
        return
    made = small(name)
    seen = Counter(
        tuple(encode_png(image) for image in made.draw(stream(8, "scenes", name, i), DEFAULT).images) for i in range(80)
    )
    assert len(seen) >= 77, f"{80 - len(seen)} of 80 show the images of another one"


@every_domain
def test_the_gold_answer_and_the_worked_response_score_one(name):
    for i in range(30):
        problem, response = problem_at(name, i, i / 29)
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
    for i in range(33):
        made = domains.build(name) if i % 2 else small(name)
        faults = faults_of(made, made.draw(stream(9, "scenes", name, i), (i % 11) / 10))
        assert not faults, (i, faults)


@every_domain
def test_wrong_empty_and_hedging_answers_score_zero(name):
    for i in range(12):
        problem, _ = problem_at(name, i, i / 11)
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
    for i in range(12):
        problem, _ = problem_at(name, i, i / 11)
        assert problem.question.replace("<image>", "").strip()
        assert problem.answer.strip()
        assert bool(problem.images) == (problem.modality != "text")
        for pixels in pixels_of(problem):
            assert pixels.shape[2] == 3
            flat = pixels.reshape(-1, 3)
            commonest = Counter(map(bytes, flat)).most_common(1)[0][1]
            assert commonest < 0.995 * len(flat), problem.question


@every_domain
def test_the_thought_is_free_of_contradictions_and_ends_at_the_answer(name):
    for i in range(120):
        problem, response = problem_at(name, i, (i % 11) / 10) if i < 20 else (None, None)
        if problem is None:
            draft = small(name).draw(stream(5, "scenes", name, i), (i % 11) / 10)
            thought, answer, metadata = draft.thought, draft.answer, draft.metadata
        else:
            thought = response.removeprefix("<think>").split("</think>")[0]
            answer, metadata = problem.answer, problem.metadata
        assert thought, "a domain without a thought can't be demonstrated"
        assert contradictions(thought, metadata.get("modulus")) == []
        results = re.findall(r"=(-?[0-9./]+)", thought.rstrip("."))
        if results and domains.get(name).verifier == "number":
            unit = str(metadata.get("unit", ""))
            assert Fraction(results[-1].rstrip(".")) == Fraction(answer.removesuffix(unit).strip()), thought


@every_domain
def test_blind_guessing_gains_little(name):
    made = drafts(name, 400)
    chances = {draft.guess_rate for draft in made}
    bar = 0.35 if None in chances else max(chances) + 0.10
    commonest, times = Counter(draft.answer for draft in made).most_common(1)[0]
    assert times / len(made) <= bar, f"always answering {commonest!r} is right in {times} of {len(made)}"
    if all(draft.metadata.get("choices") for draft in made):
        places = Counter(list(draft.metadata["choices"]).index(draft.answer) for draft in made)
        assert max(places.values()) / len(made) <= bar, f"the right choice stands at one place too often: {places}"
    for question, count in Counter(draft.question for draft in made).items():
        if count >= 50:
            same = Counter(draft.answer for draft in made if draft.question == question)
            assert max(same.values()) / count <= bar + 0.15, f"{question!r} gives its answer away: {same}"


@every_domain
def test_choices_state_the_chance_of_a_blind_guess(name):
    for draft in drafts(name, 20) + drafts(name, 10, 0.0) + drafts(name, 10, 1.0):
        if "choices" in draft.metadata:
            choices = draft.metadata["choices"]
            assert len(set(choices)) == len(choices)
            assert draft.answer in choices
            assert draft.guess_rate == pytest.approx(1 / len(choices))
            shown = draft.question.lower()
            assert {"yes", "no"} == set(choices) or all(str(c).lower() in shown for c in choices), "choices are named"


@every_domain
def test_the_file_holds_the_pixels_and_nothing_else(name):
    problems = [problem_at(name, i, i / 9)[0] for i in range(10)]
    shapes = {tuple(pixels.shape for pixels in pixels_of(problem)) for problem in problems}
    assert len(shapes) == 1, "the size of the image depends on the problem"
    for problem in problems:
        for image, pixels in zip(problem.images, pixels_of(problem), strict=True):
            assert image.read_bytes() == encode_png(Image.fromarray(pixels))
            assert not re.findall(rb"tEXt|zTXt|iTXt|tIME|eXIf|pHYs", image.read_bytes())


@every_domain
def test_neither_the_file_size_nor_the_amount_of_ink_tells_the_choice(name):
    if domains.get(name).verifier != "choice":
        return  # a number may well follow from the amount of ink, as the number of discs does
    made, drawn = small(name), []
    clues: dict[str, list[float]] = {"file size": [], "ink": [], "brightness": []}
    for i in range(240):
        draft = made.draw(stream(7, "scenes", name, i), DEFAULT)
        pixels = np.asarray(draft.images[0])
        drawn.append(replace(draft, images=()))
        clues["file size"].append(float(len(encode_png(draft.images[0]))))
        clues["ink"].append(float((pixels != pixels[0, 0]).any(axis=2).mean()))
        clues["brightness"].append(float(pixels.mean()))
    for clue, values in clues.items():
        right = 0
        for i in range(120, 240):  # the vote of the nearest among the first 120
            near = sorted(range(120), key=lambda j, i=i, values=values: abs(values[j] - values[i]))[:11]
            right += Counter(drawn[j].answer for j in near).most_common(1)[0][0] == drawn[i].answer
        assert right / 120 <= drawn[0].guess_rate + 0.17, f"{clue} alone is right in {right} of 120"


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
