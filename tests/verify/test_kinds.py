r"""Kinds of answers beside the gold: another value that looks like it, and the same value in another form."""

from __future__ import annotations

import pytest
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

COUNT = "How many objects are left?"
GAP = "What is the age gap between these two people?"
INTEGER = {"question_type": "free_form", "answer_type": "integer"}
DECIMAL = {"question_type": "free_form", "answer_type": "float", "precision": 1}
PAIR = "x=5, y=6"
MATRIX = r"\begin{pmatrix}1&2\\3&4\end{pmatrix}"


def boxed(text: str) -> str:
    return rf"\boxed{{{text}}}"


def judged(verifier: str, gold: str, response: str, question: str = "What is it?", **metadata: object) -> bool:
    verdict = judge(problem(verifier, gold, question, **metadata), response)
    assert verdict.fault is None, verdict.fault
    return verdict.correct


OTHER_VALUES = {
    "5": (
        "|x|=5", r"\lvert x\rvert = 5", r"\left|x\right|=5", r"x\approx5", r"\approx 5", r"x \sim 5", r"x\equiv 5",
        r"x\propto5", r"x\to5", r"x\ne 5", "-x=5", r"\sqrt{x}=5", "x+y=5", "xy=5", "x/2=5", r"\ln x=5", "x=5y",
        "5=5=6", "x=5=6", r"5^{\circ}", "5°", "5.000,5", r"\{5\}", "[5]", "5,5", r"5\ \text{or}\ 5.5", r"5\%", "5!",
        "5i", "+-5", "5<6",
    ),
    "1,2": ("1.2", "2.1"),
    PAIR: (r"x=5 \text{ or } y=6", "x=5 or y=6", r"x=5 \lor y=6", r"x=6\\y=5"),
    "x+1": (r"\{x+1,1+x\}", r"\{x+1\}", "x+1, 1+x", "(x+1,1+x)", "[x+1]"),
    r"\frac12": (r"\{\frac12,0.5\}", r"\frac12\pi"),
    r"(-\infty,3]": (r"]-\infty,3[", r"]\infty,3]"),
    MATRIX: ("[[1,3],[2,4]]", "[1, 2; 4, 3]", "[[1,2,3,4]]"),
    "1, 2": ("x_1=1, x_2=3", "x_1=1, y_2=3"),
    "x_1=1, x_2=2": ("x_1=2, x_2=1",),
    "1+i": ("1-1i", "1+2i", "2i"),
    r"\infty": (r"-\text{infinity}", "negative infinity"),
    r"90^\circ": (r"\pi/3", r"90\pi", r"90^\circ C"),
    ".375": (r"3\div 9", "8÷3"),
    "1000 g": ("1000 grams, or 100 g", "1000 g (2 kg)"),
    "2023-12-25": ("Dec. 26, 2023", "Dec. 25, 2024"),
}  # fmt: skip


@pytest.mark.parametrize("gold", OTHER_VALUES)
def test_another_value_is_wrong(gold: str):
    taken = [answer for answer in OTHER_VALUES[gold] if judged("math", gold, boxed(answer))]
    assert not taken, taken


EQUAL_FORMS = {
    ".375": (r"3\div8", "3÷8", r"3 \div 8"),
    r"\frac{\sqrt2}{2}": (r"\sin 45^\circ", r"\sin(45^{\circ})", "\\sin 45°", r"\cos\frac{\pi}{4}"),
    r"(-\infty,3]": (r"]-\infty,3]", r"]-\infty;3]", r"(-\text{inf},3]"),
    r"(-\infty,1)\cup(2,\infty)": (r"]-\infty,1[\cup]2,+\infty[",),
    MATRIX: ("[[1,2],[3,4]]", "[1, 2; 3, 4]", r"\begin{bmatrix}1&2\\3&4\end{bmatrix}"),
    "[[1,2],[3,4]]": (MATRIX,),
    PAIR: (
        r"x=5\\y=6", r"\begin{cases}x=5\\y=6\end{cases}", r"\begin{aligned}x&=5\\y&=6\end{aligned}", r"y=6,\quad x=5",
        r"x=5 \text{ and } y=6", r"x=5;\ y=6", r"x=5 \land y=6",
    ),
    "1, 2": ("x_1=1, x_2=2", "x=1 or x=2", r"x\in\{1,2\}", "x_{1}=2, x_{2}=1"),
    "x=1, x=2": ("x_1=1, x_2=2", "1, 2"),
    "4": (r"\overline{AB}=4", "|AB|=4", r"\vec{v}=4", r"x = 2+2 = 4"),
    "AB=4": (r"\overline{AB}=4", "4"),
    "1+i": ("1+1i", "i+1"),
    "2i": ("(1+i)^2",),
    r"\infty": (r"\text{infinity}", "infinity", "∞"),
    r"-\infty": (r"-\text{infinity}", "negative infinity"),
    r"90^\circ": (r"\frac{\pi}{2}", "π/2", "90", "90°"),
    "1000 g": ("1000 grams, or 1000 g", "1000 g (1 kg)", "1000 g = 1 kg"),
    "2023-12-25": ("Dec. 25, 2023", "25 Dec. 2023"),
    r"\sin 2x": (r"2\sin x\cos x",),
    "1,22": ("1.22",),
}  # fmt: skip


@pytest.mark.parametrize("gold", EQUAL_FORMS)
def test_the_same_value_is_right(gold: str):
    lost = [answer for answer in EQUAL_FORMS[gold] if not judged("math", gold, boxed(answer))]
    assert not lost, lost


@pytest.mark.parametrize(
    ("gold", "answer", "question", "right"),
    [
        ("4:3", r"4 \text{ to } 3", "What is the ratio?", True),
        ("4:3", "4 to 3", "What is the ratio?", True),
        ("4:3", r"3 \text{ to } 4", "What is the ratio?", False),
        ("3-2", "3 to 2", "What is the final score?", True),
        ("3-2", "2 to 3", "What is the final score?", False),
        ("5", "5 cm", "How long is the side AB?", True),
        ("5", "5 cm", "How many sheep does the farmer have?", False),
        ("5", "5 kg", "How long is the side AB?", False),
        ("5", r"5^\circ", "What is the angle at the vertex?", True),
        ("5", r"\$5", "How much does she spend on bread?", True),
        ("5", r"\$5", "How many sheep does the farmer have?", False),
        ("1000", "1000 grams, or 1000 g", "How many grams?", True),
    ],
)
def test_the_question_says_which_measure_may_stand_there(gold: str, answer: str, question: str, right: bool):
    assert judged("math", gold, boxed(answer), question) is right


@pytest.mark.parametrize("verifier", ["number", "mathvista"])
@pytest.mark.parametrize("said", ["8 cm", "8%", "$8", "8 kg", "The answer is 8 cm.", "The answer is 8%."])
def test_a_measure_that_nobody_asked_for_is_another_value(verifier: str, said: str):
    assert not judged(verifier, "8", said, COUNT, **INTEGER)


@pytest.mark.parametrize(
    "said",
    [
        "Initially there are 8 objects.",
        "At first there were 8 objects.",
        "There are 8 objects at the start.",
        "最初有8个物体。",
        "To begin with, there are 8 objects.",
        "Au début, il y a 8 objets.",
        "В начале, сначала было 8 предметов.",
    ],
)
def test_how_things_were_at_first_is_no_answer(said: str):
    assert not judged("mathvista", "8", said, COUNT, **INTEGER)
    assert judged(
        "mathvista", "8", "Initially there are 8 objects.", "How many objects are there initially?", **INTEGER
    )


@pytest.mark.parametrize(
    ("said", "question"),
    [
        ("8個残っています。", COUNT),
        ("8개가 남습니다.", COUNT),
        ("8개 남았습니다.", COUNT),
        ("8个剩下。", COUNT),
        ("Subtracting 2 gives 8.", COUNT),
        ("Subtracting 2 from 10 leaves 8 objects.", COUNT),
        ("There is an age gap of 8 years between them.", GAP),
        ("They have an 8-year age gap.", GAP),
        ("an 8-year age gap", GAP),
    ],
)
def test_a_sentence_that_states_the_number_counts(said: str, question: str):
    assert judged("mathvista", "8", said, question, **INTEGER)
    assert not judged("mathvista", "9", said, question, **INTEGER)


@pytest.mark.parametrize("said", ["≈ 1.2", r"x \approx 1.2", "The value is ≈ 1.2.", "The value is about 1.2."])
def test_a_rough_value_counts_where_it_is_rounded(said: str):
    assert judged("mathvista", "1.2", said, **DECIMAL)
    assert not judged("number", "5", said.replace("1.2", "5"))


@pytest.mark.parametrize(
    ("gold", "said"),
    [
        ("Paris", "The capital is Paris."), ("Paris", "So the capital of France is Paris."), ("Paris", "It's Paris."),
        ("open", 'The word is "open".'), ("red", "The color of the car is **red**."), ("STOP", "The sign says STOP."),
        ("a red ball", "It is a red ball."),
    ],
)  # fmt: skip
def test_a_sentence_that_states_the_text_counts(gold: str, said: str):
    for verifier in ("text", "mmmu"):
        assert judged(verifier, gold, said)
        assert not judged(verifier, "London", said)


@pytest.mark.parametrize(
    "said",
    [
        "The capital is not Paris.", "The capital is Paris or London.", "The capital is perhaps Paris.",
        "Some say it is Paris.", "The capital is Paris, Texas.", "Paris is wrong.", "The capital was never Paris.",
        "The capital is near Paris.", "If it is Paris, fine. It is London.", "The capital is London. It was Paris?",
        "The wrong answer is Paris.", "It isn't Paris.", "The answer can't be Paris.", "Nobody says Paris.",
    ],
)  # fmt: skip
def test_a_sentence_that_doubts_the_text_does_not(said: str):
    assert not judged("text", "Paris", said)


@pytest.mark.parametrize(
    ("gold", "said", "right"),
    [
        ("3:45", "three forty-five", True), ("3:45", "fifteen minutes to four", True), ("3:05", "three oh five", True),
        ("3:45 PM", "quarter to four pm", True), ("3:45 PM", "a quarter to four in the afternoon", True),
        ("12:30", "half past twelve", True), ("3:45", "It is three forty-five.", True),
        ("3:45", "The clock shows quarter to four.", True), ("9:20 AM", "twenty past nine in the morning", True),
        ("3:45", "three fifty-five", False), ("3:45 PM", "quarter to four am", False),
        ("3:45", "quarter past four", False), ("3:45", "three forty-five or four", False),
    ],
)  # fmt: skip
def test_a_time_in_words(gold: str, said: str, right: bool):
    assert judged("time", gold, said) is right


@pytest.mark.parametrize("said", ["</s>The answer is 8.", "<s> The answer is 8</s>", "8</s></s>", "<|im_end|>\n8"])
def test_tokens_that_begin_or_end_a_text_are_no_part_of_it(said: str):
    assert judged("number", "8", said)
    assert not judged("number", "8", "<s>8</s> 7")


@pytest.mark.parametrize(
    "said",
    [
        "six pairs",
        "a pair of 6",
        "six score",
        "6 in 10",
        "大约6个",
        "約6",
        "6...",
        "6:1",
        "6/1/1",
        "There are 6 dozen.",
    ],
)
def test_what_multiplies_or_blurs_a_number_makes_another_one(said: str):
    for response in (said, f"The answer is {said}."):
        assert not judged("number", "6", response, "How many apples does Tom have now?")


def test_a_number_that_goes_on_and_a_ratio_are_no_whole_number():
    for answer in ("6...", r"6\ldots", "6:1"):
        assert not judged("math", "6", boxed(answer))


MODELS_SAY = (
    "So, subtracting all 2 balls from the total of 10 objects leaves us with {} objects.",
    "In total, there are 10 objects. Subtracting 2 gives us {} objects left.",
    "{} are left", "∴ {}", "<|assistant|> {}", "Therefore, the answer is ${}$ objects.", "10 - 2 = {}",
    "There appear to be {} objects left.", "The number of objects left is $\\boxed{{{}}}$.", "Remaining objects: {}",
)  # fmt: skip


@pytest.mark.parametrize("said", MODELS_SAY)
def test_a_conclusion_as_models_write_it_counts(said: str):
    asked = "Subtract all large red balls. Subtract all tiny metal things. How many objects are left?"
    assert judged("mathvista", "8", said.format(8), asked, **INTEGER)
    assert not judged("mathvista", "10", said.format(8), asked, **INTEGER)


@pytest.mark.parametrize("said", ["Choice: B", "I'd go with B.", "It must be B.", "It's B.", "因此，正确选项是B。"])
def test_an_option_as_models_name_it_counts(said: str):
    for gold in ("dog", "cat"):
        metadata = {"question_type": "multi_choice", "answer_type": "text", "choices": ["dog", "cat", "mouse"]}
        assert judged("mathvista", gold, said, "Which animal is it?", **metadata) is (gold == "cat")


@pytest.mark.parametrize(
    "said",
    [
        "It is 8, no, 7.", "The first object is number 8.", "See option 8.", "Let x = 8.", "Total: 8 removed",
        "The number of objects is 8 before, 7 after.", "8 is the number of removed objects.",
        "There are 8 objects left in the first image and 9 in the second.", "8 objects were removed.",
        "Since there are 8 objects and one is removed, 7 are left.", "There were 8 objects, now there are 7.",
    ],
)  # fmt: skip
def test_a_number_that_names_or_counts_something_else_is_no_answer(said: str):
    for verifier in ("mathvista", "number", "math"):
        assert not judged(verifier, "8", said, "How many objects are left?", **INTEGER), verifier


@pytest.mark.parametrize("said", ["The second-best answer is B.", "B', not C", "The answer is B, no, A"])
def test_a_letter_that_is_second_best_is_no_answer(said: str):
    assert not judged("choice", "B", said, choices=["dog", "cat", "mouse"])
