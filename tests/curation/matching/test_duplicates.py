"""Near-duplicates and contamination: what is the same in other bytes is found, what only shares a template is not."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from curation_cases import ask_image, ask_text, drawn_image, encoded
from PIL import Image as Pillow
from PIL import ImageDraw, ImageEnhance

from vlrl.curation.matching.contamination import Contamination
from vlrl.curation.matching.duplicates import NearDuplicates
from vlrl.curation.matching.image_match import CLOSE_DIFFERENCE, ImageComparison, ImageIndex
from vlrl.curation.matching.minhash import MinHashIndex
from vlrl.curation.matching.text_words import jaccard, plain_words, shingles, words_of
from vlrl.curation.stage import Context, stages
from vlrl.data.problem_files import write_problem_file
from vlrl.data.recipe import Recipe
from vlrl.errors import ConfigError
from vlrl.types import Text

LONG = "A farmer has {} cows and each cow gives ten litres of milk a day, how much milk is there after one week"
BOILER = "Please read the question below with great care and answer with one number at the end"


def outcomes(problems, **settings):
    return [d.outcome for d in NearDuplicates(**settings).decide(problems, Context(0))]


def changed(opened):
    """The same image in other bytes."""
    return {
        "jpeg": encoded(opened, "JPEG", quality=60),
        "half": encoded(opened.resize((opened.width // 2, opened.height // 2), Pillow.Resampling.LANCZOS)),
        "double": encoded(opened.resize((opened.width * 2, opened.height * 2), Pillow.Resampling.BICUBIC)),
        "brighter": encoded(ImageEnhance.Brightness(opened).enhance(1.03)),
        "webp": encoded(opened, "WEBP", quality=70),
    }


@pytest.mark.parametrize("how", ["jpeg", "half", "double", "brighter", "webp"])
def test_a_image_in_other_bytes_looks_the_same(how):
    comparison = ImageComparison()
    index = ImageIndex(comparison)
    for other in range(10):
        index.add(encoded(drawn_image(other)))
    for seed in range(10):
        image = changed(drawn_image(seed))[how]
        (candidates,) = index.candidates([image])
        assert [n for n in candidates if comparison.same(index.images[n], image)] == [seed]


def test_colours_count_and_shape_counts():
    opened = drawn_image(3)
    swapped = Pillow.merge("RGB", opened.split()[::-1])
    comparison = ImageComparison()
    assert not comparison.same(encoded(opened), encoded(swapped))
    assert not comparison.same(encoded(opened), encoded(opened.resize((96, 96))))


def test_minhash_finds_what_is_alike():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(50):
        words = [str(w) for w in rng.integers(0, 10_000, 60)]
        other = [*words[:-1], "changed"]
        assert jaccard(shingles(words, 3), shingles(other, 3)) > 0.8
        index = MinHashIndex()
        index.add(shingles(words, 3))
        found += index.add(shingles(other, 3)) == [0]
    assert found == 50


def test_jaccard_and_shingles_by_hand():
    one, other = shingles(["a", "b", "c", "d"], 3), shingles(["a", "b", "c", "e"], 3)
    assert jaccard(one, other) == pytest.approx(1 / 3)
    assert shingles(["a"], 3) == {("a",)}
    assert words_of("Three+4.5=?") == ["three", "+", "4.5", "=", "?"]
    assert plain_words("Three+4.5=?") == ["three", "4.5"]


def test_the_first_of_near_duplicates_is_kept():
    problems = [ask_text(LONG.format(12)), ask_text(LONG.format(12) + "?"), ask_text("What is 3 + 4?")]
    assert outcomes(problems) == ["kept", "dropped", "kept"]


def test_other_numbers_or_another_answer_make_another_problem():
    problems = [ask_text(LONG.format(12)), ask_text(LONG.format(13)), ask_text(LONG.format(12) + "?", "8")]
    assert outcomes(problems) == ["kept"] * 3
    # one word of 21 differs: 16 of 22 shingles are shared
    assert outcomes(problems, same_numbers=False, same_answer=False, min_similarity=0.7) == [
        "kept",
        "dropped",
        "dropped",
    ]


def test_one_question_about_two_images_is_two_problems():
    images = [encoded(drawn_image(seed)) for seed in range(30)]
    assert outcomes([ask_image(image) for image in images]) == ["kept"] * 30


def test_a_question_about_a_image_in_other_bytes_is_a_duplicate():
    problems = [ask_image(encoded(drawn_image(1))), *(ask_image(image) for image in changed(drawn_image(1)).values())]
    assert outcomes(problems) == ["kept"] + ["dropped"] * 5
    assert (
        outcomes([problems[0], replace(problems[1], prompt=(problems[1].prompt[0], Text("Which colour?")))])
        == ["kept"] * 2
    )


def test_generated_problems_that_differ_are_hardly_ever_taken_for_duplicates():
    from vlrl.data.mixture import Mixture

    names = ("clock", "bars", "grid_count", "spatial_relation")
    sources = [{"name": n, "kind": "domain", "domain": {"name": n, "size": 112}} for n in names]
    problems = Mixture(Recipe.model_validate({"sources": sources}), 0).draw(240)
    dropped = [d for d in NearDuplicates().decide(problems, Context(0)) if d.outcome == "dropped"]
    assert len(dropped) <= 12, [d.detail for d in dropped]


# --- pages of text: other words look much the same from afar ---------------------------------------------------------

SUMS = {"name": "sums", "kind": "domain", "domain": {"name": "arithmetic", "terms": [3, 4]}, "weight": 1}
DRAWN = {"name": "drawn", "kind": "rendered", "of": "sums", "weight": 20}
STYLES = {"cells": {"name": "cells", "cell": 16, "size": 48}, "page": {"name": "page"}, "plain": {"name": "plain"}}


def pages(style: str, count: int):
    """Rendered problems that all have one answer and no typed text, so that nothing but the page tells them apart."""
    from vlrl.data.mixture import Mixture

    recipe = Recipe.model_validate({"sources": [SUMS, {**DRAWN, "style": STYLES[style]}]})
    by_text = {
        p.images[0].source_text: replace(p, answer="7") for p in Mixture(recipe, 0).draw_from("drawn", count + 20)
    }
    return list(by_text.values())[:count]


def screenshots(problems):
    """The same images as files would give them: nobody knows what they say."""
    return [
        replace(p, prompt=tuple(replace(piece, source_text=None) for piece in p.images), twin=None, modality="real")
        for p in problems
    ]


@pytest.mark.parametrize("style", STYLES)
def test_pages_of_different_text_are_different_problems_whether_or_not_their_text_is_known(style):
    drawn = pages(style, 100)
    assert len({p.images[0].digest for p in drawn}) == 100
    assert outcomes(drawn) == ["kept"] * 100
    assert outcomes(screenshots(drawn[:6])) == ["kept"] * 6
    images = [p.images[0] for p in screenshots(drawn[:60])]
    comparison, blind = ImageComparison(CLOSE_DIFFERENCE, strict=True), ImageComparison(1e9)
    index = ImageIndex(comparison, most_candidates=2)  # itself, and the page that looks most like it
    for image in images:
        index.add(image)
    nearest = [(image, images[found[-1]]) for image, found in zip(images, index.candidates(images), strict=True)]
    assert all(one.digest != other.digest for one, other in nearest)
    assert sum(blind.same(one, other) for one, other in nearest[:9]) > 5  # alignment alone takes them for one another
    assert not any(comparison.same(one, other) for one, other in nearest)


@pytest.mark.parametrize("how", ["jpeg", "half", "double", "brighter", "webp"])
def test_a_page_in_other_bytes_is_a_duplicate(how):
    for page in screenshots(pages("page", 4)):
        opened = Pillow.open(io.BytesIO(page.images[0].read_bytes())).convert("RGB")
        assert outcomes([page, replace(page, prompt=(changed(opened)[how],))]) == ["kept", "dropped"]


def page_of(text: str, seed: int, style: str = "plain"):
    from vlrl.rendered_text.convert import rendered_twin
    from vlrl.rendered_text.styles.style_registry import styles

    return rendered_twin(ask_text(text), styles.build(style), np.random.default_rng(seed))


def test_one_text_in_two_styles_is_one_problem_and_its_typed_twin_another():
    text = LONG.format(12)
    problems = [page_of(text, 0), page_of(text + "?", 1, "handwriting"), page_of(LONG.format(13), 0), ask_text(text)]
    assert outcomes(problems) == ["kept", "dropped", "kept", "kept"]


def test_one_letter_of_a_page_makes_a_difference_and_other_bytes_make_none():
    words = " ".join(f"{LONG.format(n)}." for n in range(12, 17))
    one, other = (Pillow.open(io.BytesIO(page_of(text, 0).images[0].read_bytes())).convert("RGB") for text in
                  (words + " x=3", words + " x=8"))  # fmt: skip
    comparison = ImageComparison(CLOSE_DIFFERENCE, strict=True)
    assert not comparison.same(encoded(one), encoded(other))
    assert all(comparison.same(encoded(one), image) for image in changed(one).values())


def test_what_a_drawn_image_says_survives_the_problem_file(tmp_path):
    from vlrl.data.problem_files import read_problems

    problem = page_of(LONG.format(12), 0)
    write_problem_file(tmp_path / "set.jsonl", [problem])
    (read,) = read_problems(tmp_path / "set.jsonl")
    assert read.id == problem.id
    assert read.images[0].source_text == LONG.format(12)


# --- contamination ---------------------------------------------------------------------------------------------------


@pytest.fixture
def benchmark(tmp_path):
    held = [
        ask_text("What is the largest prime number below one hundred?", "97"),
        ask_text("Short one?", "1"),
        ask_image(encoded(drawn_image(5)), "How many?"),
        ask_text("In a town there live twice as many cats as dogs, and " + LONG.format(3), "3"),
        *(ask_text(f"{BOILER}: {letter}") for letter in "abcdefghijkl"),
    ]
    write_problem_file(tmp_path / "bench.jsonl", held)
    return {"benchmark": "problems", "path": str(tmp_path / "bench.jsonl")}


def judged(benchmark, *problems, **settings):
    stage = Contamination(benchmarks=[benchmark], **settings)
    return [d.reason for d in stage.decide(problems, Context(0))]


def test_questions_and_images_of_a_benchmark_are_left_out(benchmark):
    assert judged(
        benchmark,
        ask_text("what is the LARGEST prime number, below one hundred"),  # a whole short question
        ask_text("Bob says: " + LONG.format(3) + ". Is he right, and by how much is he wrong?"),  # thirteen words
        ask_image(changed(drawn_image(5))["jpeg"], "Which colour is at the top?"),  # its image in other bytes
    ) == ["text of problems", "text of problems", "shared_image of problems"]


def test_what_is_no_ones_own_stays(benchmark):
    assert (
        judged(
            benchmark,
            ask_text("Short one?"),
            ask_text("What is the largest prime number below one thousand?"),
            ask_image(encoded(drawn_image(6)), "How many?"),
            ask_text("In a town there live twice as many cats as dogs. How many cats?"),
            ask_text(f"{BOILER}: 3 + 4"),
        )
        == [""] * 5
    )


def test_a_benchmarks_question_drawn_as_a_image_is_left_out(benchmark):
    assert judged(
        benchmark,
        page_of("What is the largest prime number below one hundred?", 0),
        page_of("Bob says: " + LONG.format(3) + ". Is he right?", 1, "handwriting"),
        page_of("What is the largest prime number below one thousand?", 0),
    ) == ["text of problems", "text of problems", ""]


def test_a_screenshot_is_not_left_out_for_looking_like_another_text_of_a_benchmark(tmp_path):
    held, drawn = (screenshots(pages("cells", 24)[part]) for part in (slice(0, 12), slice(12, 24)))
    write_problem_file(tmp_path / "bench.jsonl", held)
    given = {"benchmark": "problems", "path": str(tmp_path / "bench.jsonl")}
    assert judged(given, *drawn[:5], max_difference=1e9).count("image and text of problems") > 2  # from afar
    assert judged(given, *drawn) == [""] * 12
    opened = [Pillow.open(io.BytesIO(p.images[0].read_bytes())).convert("RGB") for p in held[:4]]
    again = [replace(p, prompt=(encoded(o, "JPEG", quality=80),)) for p, o in zip(held, opened, strict=False)]
    assert judged(given, *again) == ["image and text of problems"] * 4


def test_image_and_text_must_agree_and_a_shared_image_is_counted_apart(benchmark):
    image = encoded(drawn_image(5), "JPEG", quality=50)
    same, other = ask_image(image, "How many?"), ask_image(image, "Which colour is at the top?")
    clean = ask_image(encoded(drawn_image(6)), "How many?")
    assert judged(benchmark, same, other, clean) == ["image and text of problems", "shared_image of problems", ""]
    kept = Contamination(benchmarks=[benchmark], shared_image="keep").decide([same, other, clean], Context(0))
    assert [d.outcome for d in kept] == ["dropped", "kept", "kept"]
    assert [d.measured.get("shared_image") for d in kept] == [None, 1, None]


def test_a_small_detail_is_another_problem_where_the_answer_is_another(tmp_path):
    """The number that is asked for is 6 in one image and 8 in the other; all else is the same."""

    def asked(number, size):
        opened = drawn_image(5, 320, 240)
        ImageDraw.Draw(opened).rectangle((20, 20, 60, 50), fill="white")
        ImageDraw.Draw(opened).text((40, 35), number, fill="black", font_size=size, anchor="mm")
        return opened

    question = "Which number stands on the label?"
    for size in (12, 18):
        held = ask_image(encoded(asked("6", size)), question, "6")
        write_problem_file(tmp_path / "bench.jsonl", [held])
        given = {"benchmark": "problems", "path": str(tmp_path / "bench.jsonl")}
        other = ask_image(encoded(asked("8", size)), question, "8")
        copy = ask_image(encoded(asked("6", size), "JPEG", quality=75), question, "6")
        relabelled = ask_image(encoded(asked("6", size)), question, "7")
        copied = "image and text of problems"
        assert judged(given, other, copy, relabelled) == ["", copied, copied]


def test_a_small_mark_on_an_image_of_a_benchmark_makes_no_other_problem_of_it(tmp_path):
    marked = drawn_image(5, 320, 240)
    ImageDraw.Draw(marked).text((4, 4), "(c)", fill="white", font_size=10)
    held, copy = ask_image(encoded(drawn_image(5, 320, 240))), ask_image(encoded(marked))
    write_problem_file(tmp_path / "bench.jsonl", [held])
    given = {"benchmark": "problems", "path": str(tmp_path / "bench.jsonl")}
    assert judged(given, copy) == ["image and text of problems"]
    assert outcomes([held, copy]) == ["kept", "kept"]  # which of the two is nearer to the answer isn't known


def test_every_image_of_a_row_must_have_a_copy(tmp_path):
    one, two, three = (encoded(drawn_image(seed)) for seed in (1, 2, 3))
    row = replace(ask_image(one), prompt=(one, two, Text("Which is brighter?")))
    write_problem_file(tmp_path / "bench.jsonl", [row])
    given = {"benchmark": "problems", "path": str(tmp_path / "bench.jsonl")}
    both, half = row, replace(row, prompt=(one, three, Text("Which is brighter?")))
    assert judged(given, both, half, shared_image="keep") == ["image and text of problems", ""]


def test_the_row_is_named(benchmark):
    stage = Contamination(benchmarks=[benchmark])
    decision = stage.decide([ask_text("What is the largest prime number below one hundred?")], Context(0))[0]
    first = ask_text("What is the largest prime number below one hundred?", "97").id
    assert decision.measured["row"] == f"problems {first}"


def test_a_benchmark_in_its_own_schema(tmp_path):
    rows = [{"question": LONG.format(9), "answer": "#### 9"}]
    (tmp_path / "gsm8k.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"benchmark": "gsm8k", "path": str(tmp_path / "gsm8k.jsonl")}
    assert judged(given, ask_text(LONG.format(9)), ask_text("3 + 4")) == ["text of gsm8k", ""]


def test_a_benchmark_that_is_not_there_is_found_before_anything_runs(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        stages.build(
            {"name": "contamination", "benchmarks": [{"benchmark": "gsm8k", "path": str(tmp_path / "no.jsonl")}]}
        )
    with pytest.raises(ConfigError, match="did you mean"):
        stages.build({"name": "contamination", "benchmarks": [{"benchmark": "gsmk", "path": "x.jsonl"}]})
