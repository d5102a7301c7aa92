"""What a sentence does and to what, over generated nouns, verbs, places and languages: the thing that is asked is an
answer in any wording, a part of it, its neighbour, another deed and another place are none."""

from __future__ import annotations

import itertools

import pytest
from patience import patiently, problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge
from vlrl.verify.reading.hedging import asked_verb, asked_verbs, verb_stem

FORMS = [("win", "won"), ("sell", "sold"), ("run", "ran"), ("catch", "caught"), ("build", "built"), ("eat", "ate"),
         ("paint", "painted"), ("ride", "rode"), ("score", "scored"), ("carry", "carried"), ("stop", "stopped"),
         ("use", "used"), ("plant", "planted"), ("plan", "planned"), ("draw", "drew"), ("take", "took")]  # fmt: skip
THINGS = ["lamp", "bike", "phone", "table", "house"]
PARTS = ["shade", "lock", "cover", "drawer", "roof", "handle", "base", "bulb"]


def right(verifier: str, gold: str, question: str, said: str, **metadata: object) -> bool:
    verdict = judge(problem(verifier, gold, question, **metadata), said)
    assert verdict.fault is None, verdict.fault
    return verdict.correct


@pytest.mark.parametrize(("verb", "past"), FORMS)
def test_the_forms_of_a_verb_are_one_and_another_verb_is_another(verb, past):
    question = f"How many bottles did the team {verb} in May?"
    assert verb_stem(verb) == verb_stem(past)
    assert asked_verbs(question) == {verb_stem(verb)}
    assert right("number", "9", question, f"The team {past} 9 bottles.")
    assert right("number", "9", question, f"They {past} nine.")
    assert not right("number", "9", question, f"The coach {past} 9 bottles.")
    assert not right("number", "9", question, f"They will {verb} 9 bottles.")
    other = next(p for v, p in FORMS if verb_stem(v) != verb_stem(verb) and v not in ("use", "take"))
    assert not asked_verb(f"The team {other} ", question)


@pytest.mark.parametrize(("thing", "part"), itertools.product(THINGS, PARTS))
def test_a_part_is_not_the_whole(thing, part):
    for verifier, gold, question, said in (
        ("text", "purple", f"What color is the {thing}?", "is purple"),
        ("number", "54", f"How much does the {thing} cost in dollars?", "costs $54"),
        ("number", "54", f"How tall is the {thing} in cm?", "is 54 cm tall"),
    ):
        assert right(verifier, gold, question, f"The {thing} {said}.")
        assert not right(verifier, gold, question, f"The {thing}'s {part} {said}.")
        assert not right(verifier, gold, question, f"The {part} of the {thing} {said}.")


@pytest.mark.parametrize("thing", ["cake", "shelf", "desk", "roof"])
@pytest.mark.parametrize("beside", ["next to", "under", "behind", "near", "below", "beside"])
def test_what_lies_beside_a_place_is_not_in_it(thing, beside):
    question = f"How many candles are on the {thing}?"
    assert right("number", "9", question, f"There are 9 candles on the {thing}.")
    assert right("number", "9", question, f"There are nine candles on top of the {thing}.")
    assert not right("number", "9", question, f"There are 9 candles {beside} the {thing}.")
    assert not right("number", "9", question, "There are 9 candles in the drawer.")
    assert not right("number", "9", question, f"Nine of the candles on the {thing} are lit.")
    assert right(
        "number", "9", f"How many candles are {beside} the {thing}?", f"There are 9 candles {beside} the {thing}."
    )


@pytest.mark.parametrize("kind", ["search", "menu", "share", "close", "login"])
@pytest.mark.parametrize("noun", ["icon", "button"])
def test_a_label_names_the_thing_that_is_asked(kind, noun):
    question, other = f"Click the {kind} {noun}.", "home" if kind != "home" else "back"
    for written in ('<point x="20" y="30" alt="{0}">{0}</point>', '{{"point_2d": [20, 30], "label": "{0}"}}',
                    "The {0} is at (20, 30)."):  # fmt: skip
        assert right("point", "(20, 30)", question, written.format(f"{kind} {noun}"), radius=2)
        assert not right("point", "(20, 30)", question, written.format(f"{other} {noun}"), radius=2)
    assert right("point", "(20, 30)", f"Click the {noun}.", f'<point x="20" y="30" alt="{kind} {noun}"/>', radius=2)


@pytest.mark.parametrize(
    ("question", "sentence", "other"),
    [("Um wie viel Uhr fährt der Zug ab?", "Der Zug fährt um {} Uhr ab.", "Der Bus fährt um {} Uhr ab."),
     ("几点开会？", "我们在{}开会。", "会议在{}结束。"),
     ("À quelle heure part le train ?", "Le train part à {}.", "Le train arrive à {}."),
     ("¿A qué hora sale el tren?", "El tren sale a las {}.", "El tren llega a las {}.")],
)  # fmt: skip
def test_a_time_in_a_sentence_of_another_language(question, sentence, other):
    for hour, minute in ((7, 40), (8, 15), (9, 5), (11, 30)):
        time = f"{hour}:{minute:02d}"
        assert right("time", time, question, sentence.format(time))
        assert not right("time", time, question, other.format(time))
        assert not right("time", time, question, sentence.format(f"{hour}:{(minute + 7) % 60:02d}"))


def test_a_time_in_han_numerals():
    for said, time in (("八点十五分", "8:15"), ("8点一刻", "8:15"), ("三点半", "3:30"), ("十一点三刻", "11:45")):
        assert right("time", time, "几点了？", said), said
        assert not right("time", "7:20", "几点了？", said), said


TOKENS = [("[ANSWER]", "[/ANSWER]"), ("<bos>", "<eos>"), ("<s> ", "</s>"), ("[ANSWER] ", ""), ("", "<|im_end|>"),
          ("", "<end_of_turn>")]  # fmt: skip


@pytest.mark.parametrize(("open_", "close"), TOKENS)
def test_tokens_around_an_answer_are_none_of_it(open_, close):
    for verifier, gold, other in (
        ("number", "37", "38"),
        ("choice", "B", "A"),
        ("math", "\\frac{1}{2}", "\\frac{1}{3}"),
    ):
        metadata = {"choices": ["cat", "dog"]} if verifier == "choice" else {}
        assert patiently(problem(verifier, gold, "Which one?", **metadata), f"{open_}{gold}{close}").correct
        assert not patiently(problem(verifier, gold, "Which one?", **metadata), f"{open_}{other}{close}").correct


def test_two_answers_in_brackets_are_none_and_an_example_is_none():
    assert not right("number", "37", "Which number?", "[ANSWER]37[/ANSWER] [ANSWER]38[/ANSWER]")
    for said in ("예: **37**", "**Question:** 37", "[EXAMPLE] 37 [/EXAMPLE]"):
        assert not right("number", "37", "Which number?", said), said


LINES = ["x = {0}\ny = {1}", "$$x = {0}$$\n$$y = {1}$$", "\\[x={0},\\quad y={1}\\]", "y = {1}\nx = {0}",
         "\\begin{{aligned}} x&={0}\\\\ y&={1}\\end{{aligned}}", "The solution is x = {0} and y = {1}."]  # fmt: skip
VALUES = [("3", "-1"), ("\\frac{1}{2}", "4"), ("-7", "\\sqrt{2}"), ("0", "12")]


@pytest.mark.parametrize(("x", "y"), VALUES)
def test_a_system_is_solved_over_several_lines(x, y):
    task = problem("math", f"x={x}, y={y}", "Solve the system.")
    for form in LINES:
        assert patiently(task, form.format(x, y)).correct, form
        assert not patiently(task, form.format(y, x)).correct, form
        assert not patiently(task, form.format(x, f"{y}5")).correct, form
    for said in (f"x = {x}", f"x = {x}\nz = {y}", f"x = {x}\ny = {y}\ny = 99", f"x = {x}, or maybe y = {y}"):
        assert not patiently(task, said).correct, said


@pytest.mark.parametrize(("one", "other"), [("1", "-2"), ("\\frac{1}{2}", "3"), ("0", "7")])
def test_boxes_behind_one_name_are_a_set_and_behind_two_are_named(one, other):
    said = f"$x = \\boxed{{{one}}}$ or $x = \\boxed{{{other}}}$"
    assert patiently(problem("math", f"\\{{{one},{other}\\}}", "Solve the equation."), said).correct
    assert not patiently(problem("math", one, "Find the positive root."), said).correct
    named = f"x = \\boxed{{{one}}}, y = \\boxed{{{other}}}"
    assert patiently(problem("math", f"x={one}, y={other}", "Solve the system."), named).correct
    assert not patiently(problem("math", f"x={other}, y={one}", "Solve the system."), named).correct


@pytest.mark.parametrize("year", [1998, 2015, 2023])
@pytest.mark.parametrize("rate", ["unemployment", "birth", "growth"])
def test_another_year_and_another_rate_are_not_asked(rate, year):
    question = f"What was the {rate} rate in {year} (in %)?"
    assert right("number", "7.2", question, f"In {year}, the {rate} rate was 7.2%.")
    assert right("number", "7.2", question, f"The rate in {year} was 7.2%.")
    assert not right("number", "7.2", question, f"In {year + 1}, the {rate} rate was 7.2%.")
    assert not right("number", "7.2", question, f"The inflation rate in {year} was 7.2%.")
    assert right("number", str(year + 3), f"How many births were there in {year}?", f"There were {year + 3} births.")


def test_a_sign_is_no_word_for_anything_where_its_place_is_asked():
    for label, found in (("traffic light", True), ("the light", True), ("stop sign", False), ("lamp post", False)):
        said = f'{{"bbox_2d": [12, 30, 90, 140], "label": "{label}"}}'
        assert right("box", "[12, 30, 90, 140]", "Find the traffic light.", said) == found, label


@pytest.mark.parametrize("unit", ["kg", "m", "s"])
def test_a_unit_that_goes_on_is_another_unit(unit):
    question = f"What is the value in {unit}?"
    assert right("number", "12", question, f"The value is 12 {unit}.")
    for tail in ("·m", "/cd", "^3", "*A"):
        assert not right("number", "12", question, f"The value is 12 {unit}{tail}."), tail
