"""What a guesser without eyes gets right: per domain, over generated problems at the default difficulty.

    python scripts/results/blind_baseline.py [--problems 2000] [--only NAME …] [--log FILE.jsonl] [--out docs/…md]

**question**  the better of the most frequent answer and a classifier on the words of the question (naive Bayes on
counts of words and pairs of words), each fitted on four fifths and tested on the rest, five times. Of a text domain
only the most frequent answer counts: its question is all there is.
**image**   the same with a random forest on file size, width, height and the means of the three colour channels of
every image, and never on the pixels themselves.
**bound**     chance + 0.10 where the answer is one of several choices, 0.35 where it is open.
**duplicates** problems among the first 1,000 whose images are, all of them, equal to those of an earlier one.

A figure over its bound is marked; a domain in `INK` is named there with the reason why its image may tell more.
Results are logged by domain, so a second call with the same `--log` goes on where the first stopped; a domain whose
file has changed since is examined again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import KFold
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

import vlrl.scenes  # noqa: F401  fills the registry
from vlrl.scenes.domain import domains, draw_problem
from vlrl.seeding import stream
from vlrl.types import Problem

SEED, DIFFICULTY, FOLDS = 41, 0.5, 5
COMMON_ANSWERS = 200  # a forest of thousands of classes takes hours, and a rarer answer is hardly ever worth a guess
# Where what is counted or measured is the ink itself, its amount follows from the answer.
INK: dict[str, str] = {
    "bars": "the height of the bars is the answer",
    "cube_stack": "every cube more is more ink",
    "dice": "the pips are the answer",
    "fraction": "the coloured share is the answer",
    "grid_compare": "the colour with more figures has more ink",
    "grid_count": "every figure more is more ink of its colour",
    "photo_mosaic": "every crop of the flower is more orange",
    "dot_sequence": "the dots are the numbers",
    "ruler": "the pencil is as long as the answer",
    "thermometer": "the column is the temperature",
}


@dataclass(frozen=True)
class Finding:
    """Shares of right answers in [0, 1] of one domain; `choices` says whether the bound is chance + 0.10."""

    name: str
    family: str
    modality: str
    verifier: str
    problems: int
    choices: bool
    bound: float
    commonest: float
    question: float
    image: float
    duplicates: int
    per_second: float
    code: str = ""

    @property
    def blind_question(self) -> float:
        """The better of the most frequent answer and the classifier on the question."""
        return max(self.commonest, self.question)


def drawn(name: str, count: int, size: int | None = 224) -> tuple[list[Problem], list[list[float]], int, float]:
    """Problems without images, the clues of their images, duplicates in 1,000, problems a second of processor."""
    sized = size is not None and "size" in domains.get(name).__dataclass_fields__
    made = domains.build({"name": name, "size": size} if sized else name)
    draw_problem(made, stream(SEED, "warm-up", name), DIFFICULTY)
    problems, clues, seen, twins, spent = [], [], set(), 0, 0.0
    for i in range(count):
        started = time.process_time()
        problem, _ = draw_problem(made, stream(SEED, "blind", name, i), DIFFICULTY)
        spent += time.process_time() - started
        shown = tuple(image.digest for image in problem.images)
        if i < 1000 and shown:
            twins += shown in seen
            seen.add(shown)
        clues.append([clue for image in problem.images for clue in image_clues(image)])
        problems.append(
            Problem(
                problem.prompt[-1:],
                problem.answer,
                problem.verifier,
                problem.modality,
                name,
                "",
                metadata=problem.metadata,
            )
        )
    return problems, clues, twins, count / spent


def image_clues(image: Any) -> list[float]:
    """File size, width, height and channel means of an image."""
    data = image.read_bytes()
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return clues_of(data, pixels)


def clues_of(data: bytes, pixels: Any) -> list[float]:
    """The same of a file and its pixels (H, W, 3)."""
    return [float(len(data)), float(pixels.shape[1]), float(pixels.shape[0]), *cv2.mean(pixels)[:3]]


def code_of(name: str) -> str:
    """A short hash of the domain's file: what was measured on other code is measured again."""
    file = sys.modules[domains.get(name).__module__].__file__
    assert file
    return hashlib.blake2b(Path(file).read_bytes(), digest_size=6).hexdigest()


def cross_validated(model: Any, inputs: Any, answers: list[str]) -> float:
    """Share of right answers over five folds, each predicted from the other four and their commonest answers."""
    gold = np.array(answers)
    right = 0
    for fit, test in KFold(FOLDS, shuffle=True, random_state=0).split(gold):
        common = {answer for answer, _ in Counter(gold[fit].tolist()).most_common(COMMON_ANSWERS)}
        fit = [i for i in fit if gold[i] in common]
        model.fit([inputs[i] for i in fit], gold[fit])
        right += int((model.predict([inputs[i] for i in test]) == gold[test]).sum())
    return right / len(gold)


def most_frequent(answers: list[str]) -> float:
    """Share of right answers of always saying what was most frequent in the other folds."""
    gold = np.array(answers)
    right = 0
    for fit, test in KFold(FOLDS, shuffle=True, random_state=0).split(gold):
        said = Counter(gold[fit].tolist()).most_common(1)[0][0]
        right += int((gold[test] == said).sum())
    return right / len(gold)


def examine(name: str, count: int, size: int | None = 224) -> Finding:
    """All figures of one domain."""
    problems, clues, twins, per_second = drawn(name, count, size)
    chances = [p.metadata.get("guess_rate") for p in problems]
    return figures(
        name, [p.question for p in problems], [p.answer for p in problems], chances, clues, twins, per_second
    )


def figures(
    name: str,
    questions: list[str],
    answers: list[str],
    chances: list[Any],
    clues: list[list[float]],
    twins: int = 0,
    per_second: float = 0.0,
    trees: int = 60,
) -> Finding:
    """What the guesser makes of problems of a domain; `clues` holds those of their images, none of a text domain."""
    choices = domains.get(name).verifier == "choice"
    words = make_pipeline(CountVectorizer(token_pattern=r"[^\s?.,:]+", ngram_range=(1, 2)), MultinomialNB())
    forest = RandomForestClassifier(trees, min_samples_leaf=5, random_state=0)
    return Finding(
        name=name,
        family=domains.get(name).family,
        modality=domains.get(name).modality,
        verifier=domains.get(name).verifier,
        problems=len(answers),
        choices=choices,
        bound=float(np.mean(chances)) + 0.10 if choices else 0.35,
        commonest=most_frequent(answers),
        question=cross_validated(words, questions, answers) if clues[0] else 0.0,
        image=cross_validated(forest, clues, answers) if clues[0] else 0.0,
        duplicates=twins,
        per_second=per_second,
        code=code_of(name),
    )


def within(finding: Finding) -> bool:
    """Whether question and image keep the bound, the named exceptions for the image aside."""
    return finding.blind_question <= finding.bound and (finding.image <= finding.bound or finding.name in INK)


def table(findings: list[Finding]) -> str:
    """One line a domain, as Markdown; what is over its bound is bold."""
    lines = [
        "| domain | family | verifier | problems/s | bound | blind question | blind image | duplicates in 1,000 |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for f in sorted(findings, key=lambda f: (f.family, f.name)):
        question, image = (f"**{v:.2f}**" if v > f.bound else f"{v:.2f}" for v in (f.blind_question, f.image))
        star = " (ink)" if f.name in INK else ""
        lines.append(
            f"| {f.name} | {f.family} | {f.verifier} | {f.per_second:.0f} | {f.bound:.2f} | {question} "
            f"| {image}{star} | {f.duplicates} |"
        )
    middle = float(np.median([f.per_second for f in findings]))
    lines.append("")
    lines.append(f"{len(findings)} domains; the median draws {middle:.0f} problems a second of processor time.")
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, examine, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=2000)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--log", type=Path, help="JSONL file of finished domains, read and added to")
    parser.add_argument("--out", type=Path, help="Markdown file to write the table to")
    arguments = parser.parse_args()
    done: dict[str, Finding] = {}
    if arguments.log and arguments.log.exists():
        rows = [json.loads(line) for line in arguments.log.read_text().splitlines()]
        found = [Finding(**row) for row in rows if row["problems"] == arguments.problems]
        done = {f.name: f for f in found if f.name in domains.names() and f.code == code_of(f.name)}
    names = arguments.only or domains.names()
    for name in names:
        if name not in done:
            done[name] = examine(name, arguments.problems)
            if arguments.log:
                with arguments.log.open("a") as log:
                    log.write(json.dumps(asdict(done[name])) + "\n")
        over = "" if within(done[name]) else "  OVER"
        f = done[name]
        print(f"{name:18} bound {f.bound:.2f} question {f.blind_question:.2f} image {f.image:.2f}{over}", flush=True)
    text = table([done[name] for name in names])
    print(text)
    if arguments.out:
        arguments.out.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
