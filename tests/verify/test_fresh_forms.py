"""Answers in notations and words of their own, and what only looks like one.

A case is (verifier, gold, question, facts, response): equal pairs, near misses, responses that state the answer in
prose or in a sentence within a tag, and responses that hedge, list or retract. All were written before any was judged.
"""

from __future__ import annotations

from typing import Any

import pytest
from patience import patiently, problem

import vlrl.verify  # noqa: F401  fills the registry

Case = tuple[str, str, str, dict[str, Any], str]

EQUAL = [
    ("math", "3/8", "What fraction is shaded?", {}, r"\boxed{\tfrac{3}{8}\ \text{of the whole}}"),
    ("math", "0.05", "What is the probability?", {}, r"\boxed{5\times10^{-2}}"),
    ("math", "2\\sqrt{3}", "Find the length of AB.", {}, r"\boxed{|AB| = \sqrt{12}}"),
    ("math", "\\frac{7}{3}", "Solve for x.", {}, r"\boxed{x = 2\,\tfrac13}"),
    ("math", "-4", "Find the slope.", {}, r"\boxed{m=-\,4}"),
    ("math", "x=3, y=-1", "Solve the system.", {}, r"\boxed{\left(x,\;y\right)=\left(3,\;-1\right)}"),
    ("math", "\\{-2, 5\\}", "Solve $x^2-3x-10=0$.", {}, r"\boxed{x_{1,2} \in \{5,-2\}}"),
    ("math", "(-\\infty, 4]", "Solve the inequality.", {}, r"\boxed{\{x\in\mathbb{R} : x\leq 4\}}"),
    ("math", "\\frac{\\pi}{6}", "Find the angle.", {}, r"\boxed{30^\circ}"),
    ("math", "1200", "How many litres?", {}, r"\boxed{1.2\ \text{m}^3}"),
    ("math", "2(x+1)(x-3)", "Factor $2x^2-4x-6$.", {}, r"\boxed{2(x-3)(x+1)}"),
    ("math", "e^{2x}(2\\cos x-\\sin x)", "Differentiate.", {}, r"\boxed{2e^{2x}\cos{x}-e^{2x}\sin{x}}"),
    ("math", "\\log_2 3", "Evaluate.", {}, r"\boxed{\frac{\ln 3}{\ln 2}}"),
    ("math", "\\frac{1}{\\sqrt{2}}", "Find sin 45.", {}, r"\boxed{\sin 45^\circ=\dfrac{\sqrt2}{2}}"),
    ("math", "5:3", "What is the ratio of boys to girls?", {}, r"\boxed{\text{boys}:\text{girls}=5:3}"),
    ("math", "17", "What is the remainder?", {}, r"\boxed{\mathbf{17}\,\checkmark}"),
    ("math", "y=2x-5", "Find the equation of the line.", {}, r"\boxed{2x-y-5=0}"),
    ("math", "15\\%", "What percent was the discount?", {}, r"\boxed{15\text{ per cent}}"),
    (
        "math",
        "\\begin{pmatrix}1&0\\\\0&1\\end{pmatrix}",
        "Find the product.",
        {},
        r"\boxed{\left[\begin{array}{cc}1 & 0\\ 0 & 1\end{array}\right]}",
    ),
    ("math", "\\frac{3}{4}", "", {}, "<answer>three-fourths</answer>"),
    ("number", "2500", "How many people live there?", {}, "<answer>2.5k people</answer>"),
    ("number", "0.75", "What fraction is left?", {}, "<answer>3⁄4</answer>"),
    ("number", "1234567", "How many?", {}, "<answer>12,34,567</answer>"),
    ("number", "90", "How many minutes?", {}, "<answer>1.5 hours</answer>"),
    ("number", "90", "How many minutes?", {}, "<answer>1 hr 30 min</answer>"),
    ("number", "-7", "What is the temperature in °C?", {}, "<answer>−7 °C</answer>"),
    ("number", "3.5", "How many?", {}, "<answer>three point five</answer>"),
    ("math", "n^2+n", "Express the sum.", {}, r"\boxed{S_n=n(n+1)}"),
    ("math", "\\sqrt[3]{2}", "Find x.", {}, r"\boxed{2^{1/3}}"),
    ("time", "6:20", "What time does the clock show?", {"hours": 12}, "<answer>twenty minutes past six</answer>"),
]
OTHERS = [
    ("math", "3/8", "What fraction is shaded?", {}, r"\boxed{\frac{8}{3}}"),
    ("math", "2\\sqrt{3}", "Find AB.", {}, r"\boxed{3\sqrt{2}}"),
    ("math", "\\{-2, 5\\}", "Solve.", {}, r"\boxed{x=5}"),
    ("math", "(-\\infty, 4]", "Solve.", {}, r"\boxed{x<4}"),
    ("math", "\\frac{\\pi}{6}", "Find the angle.", {}, r"\boxed{\frac{\pi}{6}+2k\pi}"),
    ("math", "9", "Find $x^2$ if x=3? Give x squared.", {}, r"\boxed{3}"),
    ("math", "3", "Solve $x^2=9$, x>0.", {}, r"x^2=\boxed{9}"),
    ("math", "9", "Solve $\\sqrt{x}=3$.", {}, r"\sqrt{x}=\boxed{3}"),
    ("math", "x+y=7", "Write the equation.", {}, r"\boxed{x+y}"),
    ("math", "12", "Area?", {}, r"\boxed{12^2}"),
    ("math", "0.5", "P?", {}, r"\boxed{0.5\ldots}"),
    ("math", "(2,3)", "Find the point.", {}, r"\boxed{(3,2)}"),
    ("math", "5", "Find the number of roots.", {}, r"\boxed{5!}"),
    ("math", "1/3", "Value?", {}, r"\boxed{0.33}"),
    ("math", "2^{10}", "Value?", {}, r"\boxed{1025}"),
    ("number", "40", "How many minutes?", {}, "<answer>40 seconds</answer>"),
    ("number", "40", "How many minutes?", {}, "<answer>40 hours</answer>"),
    ("number", "12", "How many apples?", {}, "<answer>12 dozen</answer>"),
    ("number", "1000", "How many?", {}, "<answer>1.000,5</answer>"),
    ("number", "7", "How many birds?", {}, "<answer>7 and 2 more</answer>"),
    ("number", "7", "How many birds?", {}, "<answer>7 or so</answer>"),
    ("number", "50", "What percentage?", {}, "<answer>0.5%</answer>"),
    ("choice", "B", "Which?", {"choices": ["cat", "dog", "cow", "pig"]}, "<answer>B. cow</answer>"),
    ("choice", "dog", "Which?", {"choices": ["cat", "dog", "cow", "pig"]}, "<answer>hot dog</answer>"),
    ("choice", "A", "Which?", {"choices": ["1 cm", "1 m", "1 km", "1 mm"]}, "<answer>1 m</answer>"),
    ("text", "piano", "What does he play?", {}, "He plays the piano accordion."),
    ("text", "Paris", "What is the capital?", {}, "<answer>Paris, Texas</answer>"),
    ("list", "[3, 5, 7]", "List the primes.", {}, "<answer>3, 5, 7, 9</answer>"),
    ("time", "6:20", "What time?", {"hours": 12}, "<answer>twenty to six</answer>"),
    ("math", "\\frac{a}{b}", "Simplify.", {}, r"\boxed{\frac{b}{a}}"),
]
STATED = [
    (
        "number",
        "14",
        "How many passengers are on the bus?",
        {},
        "Four sit in front and ten behind, so altogether the bus carries 14 passengers. The driver is not a passenger.",
    ),
    (
        "number",
        "42",
        "What is the total cost in dollars?",
        {},
        "Each ticket costs $6 and we need 7 of them.\n\n$6 × 7 = $42$\n\nSo you'd pay **$42** in total.",
    ),
    (
        "math",
        "5",
        "What is the interest rate in percent?",
        {},
        r"From I = Prt we get r = 0.05. So the interest rate is \boxed{5\%}.",
    ),
    ("math", "3", "Find the non-negative solution of $x^2=9$.", {}, r"The non-negative solution is \boxed{3}."),
    (
        "math",
        "12",
        "How far does the ball fall?",
        {},
        r"The ball falls for 2 s, so the distance would be \boxed{12} metres.",
    ),
    (
        "number",
        "9",
        "Combien de chats y a-t-il ?",
        {},
        "En comptant soigneusement, on trouve quatre chats à gauche et cinq à droite. Il y a donc 9 chats au total.",
    ),
    (
        "number",
        "9",
        "Wie viele Katzen sind auf dem Bild?",
        {},
        "Links sitzen vier Katzen, rechts fünf. Insgesamt sind es also 9 Katzen.",
    ),
    (
        "number",
        "9",
        "¿Cuántos gatos hay en la imagen?",
        {},
        "A la izquierda hay cuatro y a la derecha cinco. Por lo tanto, hay 9 gatos en total.",
    ),
    ("number", "9", "Сколько кошек на картинке?", {}, "Слева четыре кошки, справа пять. Значит, всего 9 кошек."),
    ("number", "9", "图中有多少只猫?", {}, "左边有4只，右边有5只，所以一共有9只猫。"),
    ("number", "9", "画像に猫は何匹いますか?", {}, "左に4匹、右に5匹います。したがって、猫は全部で9匹です。"),
    (
        "number",
        "9",
        "그림에 고양이가 몇 마리 있나요?",
        {},
        "왼쪽에 4마리, 오른쪽에 5마리가 있습니다. 따라서 고양이는 모두 9마리입니다.",
    ),
    (
        "number",
        "9",
        "Quantos gatos há na imagem?",
        {},
        "À esquerda há quatro gatos e à direita cinco. Portanto, há 9 gatos no total.",
    ),
    (
        "choice",
        "C",
        "Which shape comes next?",
        {"choices": ["circle", "square", "star", "heart"]},
        "The pattern alternates. After the square comes a star, which corresponds to option C.",
    ),
    (
        "choice",
        "B",
        "Which animal is it?",
        {"choices": ["cat", "dog", "horse", "cow"]},
        "Looking at the ears and snout, this is clearly a dog (option B), since cats have shorter snouts.",
    ),
    (
        "choice",
        "B",
        "Quel animal ?",
        {"choices": ["chat", "chien", "cheval"]},
        "La bonne réponse est la B, car on voit un chien.",
    ),
    (
        "choice",
        "D",
        "Welche Form?",
        {"choices": ["Kreis", "Quadrat", "Stern", "Herz"]},
        "Daher ist die richtige Antwort D) Herz.",
    ),
    ("choice", "A", "哪个选项正确?", {"choices": ["红", "绿", "蓝"]}, "观察图片可知，天空为红色，因此应选A。"),
    ("text", "piano", "What instrument does he play?", {}, "He plays the piano."),
    ("text", "Mount Fuji", "Which mountain is shown?", {}, "The mountain in the photo is Mount Fuji."),
    ("text", "yes", "Is the door open?", {}, "Yes — the door on the left is open."),
    (
        "time",
        "3:40",
        "What time does the clock show?",
        {"hours": 12},
        "The short hand is between 3 and 4 and the long hand points at 8, so the clock shows 3:40.",
    ),
    (
        "math",
        "24",
        "Find the area.",
        {},
        "The base is 6 and the height 8, thus the area is $\\frac12\\cdot 6\\cdot 8 = 24$.",
    ),
    (
        "math",
        "\\frac{5}{12}",
        "Find the probability.",
        {},
        "Adding the cases gives 10/24, i.e. the probability is $\\dfrac{5}{12}$.",
    ),
    ("math", "7", "Find x.", {}, "<answer>The value of x is 7.</answer>"),
    ("number", "7", "How many birds?", {}, "<answer>There are 7 birds in the tree.</answer>"),
    ("text", "red", "What colour is the car?", {}, "<answer>The car is red.</answer>"),
    (
        "mathvista",
        "6.2",
        "What is the length in cm?",
        {"question_type": "free_form", "answer_type": "float", "precision": 1},
        "Reading the ruler, the pencil ends a little past 6 cm, at 6.2 cm. Therefore the pencil is 6.2 cm long.",
    ),
    ("number", "18", "How old is Anna?", {}, "Anna's age: 18 years.\n\n(We found it by adding 5 to 13.)"),
]
UNCOMMITTED = [
    ("number", "14", "How many passengers?", {}, "It is either 14 or 15; I'd go with 14 if pressed."),
    ("number", "14", "How many passengers?", {}, "12, 13, 14, 15, 16 — one of these."),
    ("math", "14", "How many?", {}, r"\boxed{14} — scratch that, I count again: \boxed{15}"),
    ("math", "14", "How many?", {}, r"Possible answers: \boxed{14}, \boxed{15}, \boxed{16}."),
    ("math", "14", "How many?", {}, r"\boxed{14}. On second look the correct count is 15."),
    ("math", "14", "How many?", {}, r"I can't see the image, so I'll put \boxed{14}."),
    ("math", "14", "How many?", {}, r"Someone less careful would write \boxed{14}."),
    ("math", "14", "How many?", {}, r"If each row had seats for two, we would get \boxed{14}."),
    ("choice", "B", "Which?", {"choices": ["cat", "dog", "cow"]}, "A, B and C all fit; B a bit more, C as well."),
    ("choice", "B", "Which?", {"choices": ["cat", "dog", "cow"]}, "Not A, not C, so B? No wait, A."),
    ("choice", "B", "Which?", {"choices": ["cat", "dog", "cow"]}, "The answer is B\nThe answer is C"),
    ("choice", "B", "Which?", {"choices": ["cat", "dog", "cow"]}, "(B) or (C), can't decide"),
    ("text", "red", "Which colour?", {}, "red/blue"),
    ("text", "red", "Which colour?", {}, "It could be red."),
    ("text", "red", "Which colour?", {}, "The car is not red."),
    ("number", "9", "Combien ?", {}, "La réponse est 9, ou bien 10."),
    ("number", "9", "Wie viele?", {}, "Die Antwort ist 9. Nein, doch 10."),
    ("number", "9", "¿Cuántos?", {}, "La respuesta es 9. Perdón, son 10."),
    ("number", "9", "多少只?", {}, "答案是9。不对，应该是10。"),
    ("number", "9", "いくつ?", {}, "答えは9です。いや、10です。"),
    ("number", "9", "몇 마리?", {}, "정답은 9입니다. 아니, 10입니다."),
    ("number", "9", "Сколько?", {}, "Ответ: 9. Хотя нет, 10."),
    ("number", "9", "Quantos?", {}, "A resposta é 9. Aliás, é 10."),
    ("math", "5 pm", "When?", {}, "at 5 pm and 6 pm"),
    ("time", "5:00 PM", "When?", {}, "at 5 pm and 6 pm"),
    ("time", "3:40", "When?", {"hours": 12}, "3:40 or 8:15"),
    ("math", "x=2", "Solve.", {}, r"\boxed{x=2 \text{ or maybe } x=3}"),
    ("math", "2", "Solve.", {}, r"<answer>2</answer> (though 3 is also possible)"),
    ("list", "[1, 2]", "List.", {}, "<answer>1, 2 (or 2, 3)</answer>"),
    ("number", "14", "How many?", {}, "<answer>14</answer><answer>15</answer>"),
]


@pytest.mark.parametrize("case", [*EQUAL, *STATED], ids=lambda case: case[-1][:50])
def test_an_answer_counts_however_it_is_written(case: Case):
    verifier, gold, question, facts, response = case
    verdict = patiently(problem(verifier, gold, question, **facts), response)
    assert verdict.correct, verdict


@pytest.mark.parametrize("case", [*OTHERS, *UNCOMMITTED], ids=lambda case: case[-1][:50])
def test_another_value_and_an_answer_that_nobody_commits_to_count_nothing(case: Case):
    verifier, gold, question, facts, response = case
    verdict = patiently(problem(verifier, gold, question, **facts), response)
    assert verdict.score == 0, verdict
    assert verdict.fault is None, verdict


@pytest.mark.parametrize(
    "response",
    [
        "<answer>There are 7 or 8 birds.</answer>",
        "<answer>There are not 7 birds.</answer>",
        "<answer>I think there might be 7 birds.</answer>",
        "<answer>There are 7 red and 5 blue birds.</answer>",
        "<answer>There were 7 birds yesterday.</answer>",
        "<answer>There are 7 birds. There are 8 birds.</answer>",
        "<answer>If there are 7 birds, there are 14 wings.</answer>",
        "<answer>There are 7 nests.</answer>",
    ],
)
@pytest.mark.parametrize("verifier", ["number", "math"])
def test_a_sentence_in_a_tag_is_read_as_strictly_as_prose(verifier, response):
    assert patiently(problem(verifier, "7", "How many birds are there?"), response).score == 0


@pytest.mark.parametrize(
    "response",
    [
        "<answer>The car is not red.</answer>",
        "<answer>The car is red or blue.</answer>",
        "<answer>Is the car red?</answer>",
        "He plays the piano badly.",
        "He never plays red.",
    ],
)
def test_words_in_a_sentence_are_read_as_strictly(response):
    asked = problem("text", "red", "What colour is the car?")
    assert patiently(asked, response).score == 0
    assert patiently(problem("text", "piano", "What instrument does he play?"), response).score == 0
