r"""How current models close a response: in every style the right answer is read, and a wrong one isn't right."""

from __future__ import annotations

import re

import pytest
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

AREA = "The rectangle has sides 4 cm and 2.5 cm. What is its area in cm²?"
STYLES = (
    "### Final Answer\n\n\\[\n\\boxed{@}\n\\]",
    "**Final Answer:** @",
    "**Final Answer**\n\n@ cm²",
    "Final answer: **@**",
    "Thus, the area is **@ square centimeters**.",
    "\\[ \\text{Area} = 4 \\times 2.5 = @ \\]\n\nSo the area is \\(@\\) cm\\(^2\\).",
    "Answer: \\(@\\)",
    "✅ Final Answer: @",
    "🎯 **@**",
    "**Answer: @ cm²**",
    "Area = 4 × 2.5 = **@ cm²**",
    "$$\\text{Area} = 4 \\cdot 2.5 = @\\ \\text{cm}^2$$",
    "Therefore, the area of the rectangle is $@\\,\\text{cm}^2$.",
    "\\[\n\\boxed{@\\ \\text{cm}^2}\n\\]",
    "\\[\n\\boxed{@ \\, \\text{cm}^2}\n\\]\n",
    "So the answer is $\\boxed{@}$ cm².",
    "**Step 3: Compute**\n\n4 × 2.5 = @\n\n**Therefore, the area is @ cm².**",
    "<answer>\n@ cm²\n</answer>",
    "<answer> \\boxed{@} </answer>",
    "<answer>The area is @ cm².</answer>",
    "The area is @ cm$^2$.",
    "Hence the required area = @ sq. cm.",
    "Final Answer: The final answer is $@$. I hope it is correct.",
    "#### @",
    "Result: @",
    "→ @",
    "=> @",
    "Area: @ cm²",
    "> **@ cm²**",
    "- Area = @ cm²",
    "`@`",
    "```\n@\n```",
    "The area of the rectangle is @ square cm, since 4 times 2.5 is @.",
    "So the area would be @ cm².",
    "It is @.",
    "We find an area of @ cm².",
    "Multiplying the sides gives @ cm².",
    "4 × 2.5 = @, so the answer is @.",
    "\\boxed{\\text{@ cm}^2}",
    "\\boxed{\\mathbf{@}}",
    "\\boxed{A = @ \\text{ cm}^2}",
    "\\boxed{\\text{Area} = @}",
    "\\[\\boxed{@}\\]\n\n---\n\n*Note: units are cm².*",
    "\\boxed{@}\n\nLet me know if you'd like me to explain further!",
    "\\boxed{@}\n\nThis matches the expected value.",
    "**The area is:**\n\n$$@$$",
    '{"answer": "@"}',
    '```json\n{"answer": @}\n```',
    '{"reasoning": "4*2.5", "final_answer": @}',
    "<|begin_of_box|>@<|end_of_box|>",
    "\\text{Answer: } @",
    "\\textbf{Final Answer:} @",
    "### Answer\n@",
    "The rectangle's area is @ cm².",
    "∴ Area = @ cm²",
    "$\\therefore$ Area $= @$ cm$^2$",
    "Thus: $A=@$",
    "That gives us @ cm².",
)
LEADS = ("", "Let me think step by step. The sides are 4 cm and 2.5 cm.\n\nThe area is length times width.\n\n")
ANGLE = "What is angle ABC?\nA. 135°\nB. 140°\nC. 145°\nD. 150°"
CHOSEN = (
    "The correct answer is **C. 145°**.",
    "Option C is correct.",
    "So, option (C) is the correct choice.",
    "C) 145°",
    "**C**",
    "**Answer: C) 145°**",
    "\\[\n\\boxed{\\textbf{(C)}\\ 145^\\circ}\n\\]",
    "<answer>C. 145°</answer>",
    "The angle is 145°, so the answer is C.",
    "Correct answer: **C**",
    "I would choose C.",
    "✅ **C. 145°**",
    "The measure is 145°.",
    "Hence, option C (145°) is the answer.",
    '{"answer": "C"}',
    "**Correct Option: C**",
    "The answer is option **C**, because the angles add up to 180°.",
    "C is the right answer.",
    "The correct one is C.",
    "A is wrong because it is too small. B is wrong as well. D is too large. So C.",
    "\\boxed{C. 145^{\\circ}}",
    "<|begin_of_box|>C<|end_of_box|>",
)


@pytest.mark.parametrize("verifier", ["number", "math"])
def test_a_number_is_read_in_every_style(verifier):
    of = problem(verifier, "10", question=AREA)
    for style in STYLES:
        for lead in LEADS:
            if style.startswith("```\n") and lead:
                continue  # code beside prose is no answer
            for said, expected in (("10", True), ("12", False)):
                verdict = judge(of, lead + style.replace("@", said))
                assert verdict.correct is expected, (lead, style, verdict)


def test_a_choice_is_read_in_every_style():
    choices = ["135°", "140°", "145°", "150°"]
    for gold, expected in (("145°", True), ("140°", False)):
        of = problem("choice", gold, question=ANGLE, choices=choices)
        for style in CHOSEN:
            for lead in ("", "The triangle is isosceles, thus the base angles are 35°/2 each.\n\n"):
                verdict = judge(of, lead + style)
                assert verdict.correct is expected, (lead, style, verdict)


@pytest.mark.parametrize("verifier", ["number", "math"])
@pytest.mark.parametrize(
    "text",
    [
        'The answer is 12.\n\n{"answer": 10}',
        '{"answer": 12}\n\n{"answer": 10}',
        '{"answer": 10, "answer": 12}',
        "<|begin_of_box|>10<|end_of_box|> or <|begin_of_box|>12<|end_of_box|>",
        "<|begin_of_box|>10",
        "```\n10\n```\n```\n12\n```",
        "The area is 10 cm$^3$.",
    ],
)
def test_two_answers_and_another_unit_are_none_in_any_markup(verifier, text):
    assert not judge(problem(verifier, "10", question=AREA), text).correct


CARS = "How many red cars are in the image?"
COUNTED = (
    "There are @ red cars in the image.",
    "I count **@** red cars.",
    "In the image, I can see @ red cars parked along the street.",
    "- Left side: 2\n- Right side: 1\n\nTotal: **@**",
    "The number of red cars visible in the image is **@**.",
    "@ red cars.",
    "Looking carefully, there appear to be @ red cars.",
    "We can see that the image contains @ red cars. Two are on the left and others on the right.",
    "Red cars: @",
    "<think>maybe 8</think>There are @ red cars.",
    "I can identify @ red cars: one near the tree, the others by the house.",
    "I spotted @ red cars.",
    "After examining the picture, my count is @.",
    "Final count: @",
    "That makes @ red cars altogether.",
    "Only @ cars are red.",
    "Count = @",
    "Thus, our count comes to @.",
    "It looks like there are @ red cars in this image.",
    "The answer is **@**.",
    "The answer is **@**, as three of them are red.",
)


@pytest.mark.parametrize("verifier", ["number", "math"])
def test_a_count_is_read_in_every_style(verifier):
    of = problem(verifier, "3", question=CARS)
    for style in COUNTED:
        for said, expected in (("3", True), ("4", False)):
            verdict = judge(of, style.replace("@", said))
            assert verdict.correct is expected, (style, verdict)


@pytest.mark.parametrize("style", ["The answer is **@**.", "**@**.", "So the probability is **@**.", "Answer: **@**."])
def test_a_fraction_in_bold_type_is_read(style):
    of = problem("math", "\\frac{3}{8}", question="What is the probability?")
    assert judge(of, style.replace("@", "3/8")).correct
    assert not judge(of, style.replace("@", "5/8")).correct


def test_a_share_of_what_is_asked_is_read():
    of = problem("number", "28", question="What percentage of students walk to school?")
    for said in ("28% of the students walk to school.", "Students who walk make up 28% of the total."):
        assert judge(of, said).correct, said
    assert not judge(of, "28 percent of 50 students is 14.").correct
    assert not judge(problem("number", "28", question="How many students walk?"), "28% of the students walk.").correct


@pytest.mark.parametrize(
    "question",
    [
        "What was the revenue in 2015, in million dollars?",
        "What was the revenue (in millions)?",
        "Revenue (US$ million)?",
    ],
)
def test_a_number_may_name_the_scale_that_is_asked(question):
    of = problem("number", "45.2", question=question)
    for said in ("45.2 million dollars", "The revenue in 2015 was $45.2 million.", "45.2", "$45,200,000"):
        assert judge(of, said).correct, said
    for said in ("45.2 billion dollars", "45.2 thousand", "$4.52 million"):
        assert not judge(of, said).correct, said
    assert not judge(problem("number", "45.2", question="What was the revenue in dollars?"), "45.2 million").correct


@pytest.mark.parametrize("verifier", ["number", "math"])
@pytest.mark.parametrize("mark", ["❌ @", "✗ @", "@ ❌", "🚫 @", "🤔 @", "@ ❓", "🔟 @", "👎 **@**"])
def test_a_mark_that_says_something_is_none_of_the_markup(verifier, mark):
    of = problem(verifier, "10", question=AREA)
    assert not judge(of, mark.replace("@", "10")).correct
    assert judge(of, re.sub(r"[^@*]", "", mark).replace("@", "10")).correct, "the same without the mark"


@pytest.mark.parametrize("verifier", ["number", "math"])
@pytest.mark.parametrize("fence", ["@", "```json\n@\n```"])
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("So I conclude", True),
        ("The area is 10 cm².\n", True),
        ("Here is the result:\n", True),
        ("Perhaps", False),
        ("Example of the format:", False),
        ("I don't know. For instance:", False),
        ("A wrong answer would be", False),
        ("It is at most", False),
        ("The answer is not", False),
        ("The answer is 12.\n", False),
    ],
)
def test_json_behind_prose_is_an_answer_where_a_tag_would_be_one(verifier, fence, before, expected):
    said = f"{before}\n{fence.replace('@', chr(123) + chr(34) + 'answer' + chr(34) + ': 10}')}"
    assert judge(problem(verifier, "10", question=AREA), said).correct is expected
