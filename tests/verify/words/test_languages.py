"""Words lie in one file a language, are whole where the language parts them, and are not read in another language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from patience import patiently, problem

import vlrl.verify
from vlrl.verify.words.languages import in_each_language, plain_words, words

HOME = Path(vlrl.verify.__file__).parent
FILES = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in (HOME / "words").glob("*.yaml")}
KINDS = {kind for kinds in FILES.values() for kind in kinds} - {"apart"}
PLAIN = {"small", "no_noun", "never_counted", "counted", "scales"}  # words parted by spaces, no expressions


@pytest.mark.parametrize("language", FILES)
def test_every_entry_is_an_expression_that_needs_some_text(language):
    for kind, text in FILES[language].items():
        for entry in text.split(" | ") if kind not in (*PLAIN, "apart") else ():
            assert entry.strip(), (kind, text)
            assert re.compile(entry.strip().removeprefix("~")).fullmatch("") is None, (kind, entry)


def test_every_kind_is_asked_for_and_every_kind_that_is_asked_for_is_there():
    code = "\n".join(file.read_text(encoding="utf-8") for file in HOME.rglob("*.py"))
    called = re.findall(r"(?:words|plain_words|in_each_language)\(([^)*]*)\)", code)
    asked = {kind for arguments in called for kind in re.findall(r"['\"]([a-z_]+)['\"]", arguments)}
    assert asked <= KINDS
    assert {kind for kind in KINDS if not re.search(rf"['\" ]{kind}['\" ]", code)} == set()


@pytest.mark.parametrize(
    "kind", ["not", "perhaps", "so", "is", "states", "wrong", "example", "if", "it", "unable", "each"]
)
def test_every_one_of_the_ten_languages_has_the_words_of_an_answer(kind):
    ten = {"english", "chinese", "japanese", "korean", "russian", "french", "german", "spanish", "portuguese", "arabic"}
    missing = {language for language in ten if kind not in FILES[language]}
    assert missing <= ({"english"} if kind == "states" else set())


def test_words_are_whole_where_a_language_parts_them():
    found = re.compile(words("not"), re.IGNORECASE)
    for text in ("it is not 6", "nicht 6", "pas 6", "не 6", "不是6", "6ではない", "6이 아니다", "ليس 6"):
        assert found.search(text), text
    for text in ("a notch", "passengers", "nichts-", "knot", "неделя"):
        assert not found.search(text), text
    assert re.search(words("not", abroad=True), "it is not 6") is None


def test_a_pair_of_words_is_of_one_language():
    supposed = re.compile(in_each_language("if", ".{3,200}", "would"))
    assert supposed.search("if it were so, it would be")
    assert supposed.search("wenn es so wäre, würde es")
    assert not supposed.search("the ball falls for a second, so it would be")  # "falls" is a German "if"


def test_plain_words_are_by_language():
    assert "how" in plain_words("small")["english"]
    assert "how" not in plain_words("small")["german"]


@pytest.mark.parametrize(
    "response",
    [
        "So the interest rate is \\boxed{5}.",  # "rate" is a German guess
        "The non-negative solution is \\boxed{5}.",  # "non" is an Italian not
        "The ball falls for 1 s, so the distance would be \\boxed{5}.",
        "The number of non-overlapping squares is 5.",
    ],
)
def test_an_english_answer_has_no_other_language_in_it(response):
    assert patiently(problem("math", "5", "What is the number that is asked?"), response).correct, response
