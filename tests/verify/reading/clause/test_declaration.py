r"""A box or a tag declares its content only where the clause and the formula around it do."""

from __future__ import annotations

import itertools

import pytest
from patience import problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.judge import judge

ASKED = "Find the area of the triangle."
VALUES = ("12", "7.5", r"\frac{3}{4}", r"2\sqrt{13}", "1200", "x+1")
BOXES = (r"\boxed{V}", r"$\boxed{V}$", r"**\boxed{V}**", r"\(\boxed{V}\)", "<answer>V</answer>")

DENIED = (
    "The answer is not @.", "It isn't @.", "The area isn't equal to @.", "I don't think the area is @.",
    "It can't be @.",
    "The area is definitely not @.", "It is not true that the area equals @.",
    "Nobody would say never, yet it is never @.",
    "I doubt that it is @.", "It's impossible that the area is @.", "It would be a mistake to say @.", "Incorrect: @",
    "Wrong answer: @", "A frequent error gives @.", "The tempting but false result is @.", "Many students answer @.",
    "Perhaps @", "My guess is @.", "This differs from @.", "I reject @.", "@ is not the area.", "@ is wrong.",
    "@ isn't the right value.", "@ can't be right.", "@ (just a guess)", "Is it @?", "Could the area be @?",
    "L'aire n'est pas @.", "La réponse n'est pas @.", "Die Fläche ist nicht @.",
    "Das Ergebnis ist keinesfalls nicht @.",
    "Falsch: @", "El área no es @.", "La respuesta no es @.", "A área não é @.", "Площадь не равна @.", "Ответ не @.",
    "面积不是@。", "答案不等于@。", "错误答案:@", "面積は@ではありません。", "넓이는 @이 아닙니다.", "المساحة ليست @.",
    "Nothing in the figure supports @.", "The area is anything but @.", "I'd be guessing, but @.",
    "I refuse to say @.",
    "Die Fläche beträgt keineswegs @.", "Nobody gets @.",
)  # fmt: skip
CHANGED = (
    "The area is less than @.", "It is at least @.", "The area is more than @.", "It's at most @.",
    "The area is twice @.",
    "The area is half of @.", "It is the square root of @.", "The answer is the double of @.",
    "It is a multiple of @.",
    "The area is minus @.", "It is up to @.", "13 or @", "It is either 13 or @.", "The area is @ squared.",
    "Die Fläche ist kleiner als @.", "Sie ist mindestens @.", "L'aire est inférieure à @.", "Elle est au moins @.",
    "El área es la mitad de @.", "El área es mayor que @.", "A área é menor que @.", "Площадь больше @.", "面积小于@。",
    "面积至少@。", "面积是@的两倍。", "面積は@より大きい。", "넓이는 @보다 크다.", "المساحة أكبر من @.",
)  # fmt: skip
SHOWN = (
    "e.g. @", "Example: @", "For example, write @.", "Format: @", "The expected format is @.", "Sample output: @",
    "An example of an answer is @.", "Put your answer as @.", "Please write @.",
    "One would answer with something like @.",
    "If I knew it, I'd write @.", "@ is the example format.", "@ would be the template.",
    "If the base were 6: @ would be right.",
    "Si la base était 6, on aurait @.",
    "Wäre die Basis 6, ergäbe sich @.", "如果底边是6,面积才是@。", "Were the base 6, we would get @.",
    "There is no triangle in the image. @",
    "If the base were 6, the area would be @.",
    "Zum Beispiel @", "Par exemple, @.", "Por ejemplo: @", "Например, @", "例如,@", "格式:@",
    "Wenn die Basis 6 wäre, wäre die Fläche @.", "Si la base était 6, l'aire serait @.", "I don't know the answer. @",
    "I can't see the image. @", "<reasoning>@</reasoning> I have no answer.", "<scratchpad>@</scratchpad>",
    "[think]@[/think]",
    r"\begin{comment}@\end{comment}", "<!-- @ -->", "<example>@</example>",
)  # fmt: skip
DECLARED = (
    "The area is @.", "So the answer is @.", "It isn't 10: the area is @.", "Not 24 but @",
    "The area is not 24, it is @.",
    "The area is not 24 but @.", "24 is wrong. @", "We can't use the sine rule here. The area is @.",
    "Don't forget the half: @",
    "A common mistake is to forget the half, which gives 24. The right area is @.",
    "Since x is not zero, the area is @.",
    "If the base is 6 and the height 4, the area is @.", "The final answer in the required format is @.",
    "Therefore, @",
    "As the triangle is not right-angled, we get @.", "Not counting the border, the area is @.", "@, not 24.",
    "@ (not 24, as the half is needed)", "@\n\nNote: 24 would be wrong, as it is the area of the rectangle.", "- @",
    "1. The area is\n\n@", "Avoiding the common mistake, we obtain @.", "Trial and error gives @.",
    "It is not hard to see that it is @.",
    "Die Fläche ist nicht 24, sondern @.", "L'aire n'est pas 24 mais @.", "El área no es 24 sino @.",
    "A área não é 24, mas @.",
    "Площадь не 24, а @.", "面积不是24,而是@。", "面積は24ではなく@。", "넓이는 24가 아니라 @.", "Donc l'aire est @.",
    "因此面积为@。不难验证。",
    "@\n\nAlternatively, by Heron's formula, the area is again the same.", "I hope this helps: @",
    "Wait, I forgot the half. So @.", "@. A common wrong answer is 24.",
    "@\n\nA common mistake is to forget the half.",
    "I can't see the border, so it isn't counted. @", "It is nothing but @.", "@. No side is negative.",
    "Si la base est 6, l'aire est @.",
)  # fmt: skip


def cases(templates: tuple[str, ...]) -> list[tuple[str, str]]:
    """(value, response) of every template, value and way to write the declaration."""
    return [
        (value, template.replace("@", box.replace("V", value)))
        for template, value, box in itertools.product(templates, VALUES, BOXES)
    ]


def is_right(value: str, response: str, question: str = ASKED) -> bool:
    verdict = judge(problem("math", value, question), response)
    assert verdict.fault is None, verdict.fault
    return verdict.correct


@pytest.mark.parametrize("templates", [DENIED, CHANGED, SHOWN], ids=["denied", "changed", "shown"])
def test_a_clause_that_does_not_commit_makes_a_box_no_answer(templates: tuple[str, ...]):
    taken = [response for value, response in cases(templates) if is_right(value, response)]
    assert not taken, (len(taken), taken[:20])


def test_a_clause_that_commits_does():
    lost = [response for value, response in cases(DECLARED) if not is_right(value, response)]
    assert not lost, (len(lost), lost[:20])


AROUND = (
    "-@", "2@", "3 @", "@x", r"@\%", r"@\,\%", r"\sqrt{@}", r"\frac{@}{2}", "@^2", "@+1", r"@\cdot 5", r"5\times @",
    "x @",
    r"@\text{ million}", r"@\pi", r"@!", r"|@|\cdot 2", "5-@", r"\frac12 @", r"x \le @", r"x > @", r"a \ne @",
    r"\cos @", "@/2",
    r"\pm @", "x_{@}", "2^{@}",
)  # fmt: skip
WHOLE = (
    "@", "x = @", r"\frac{24}{2} = @", r"A=\frac12\cdot 6\cdot 4=@", r"\text{Area: } @", r"\Rightarrow @",
    r"\therefore x=@",
    r"@.", r"@\,", r"@ \quad", r"@\ \checkmark", r"\textbf{@}", r"\displaystyle @", r"@ \approx 12.3",
    r"\left(@\right)",
    r"P(A) = @", r"\begin{aligned} x &= 3\cdot 4 \\ &= @ \end{aligned}", r"x \approx @", r"\angle ABC = @",
)  # fmt: skip


@pytest.mark.parametrize("outside", ["$F$", r"\[F\]", r"So \(F\)."])
def test_a_box_within_a_larger_formula_is_read_with_it(outside: str):
    taken = [
        response
        for formula, value in itertools.product(AROUND, ("12", "7.5", r"\frac{3}{4}"))
        if is_right(value, response := outside.replace("F", formula.replace("@", rf"\boxed{{{value}}}")))
    ]
    assert not taken, taken
    lost = [
        response
        for formula, value in itertools.product(WHOLE, ("12", "7.5", r"\frac{3}{4}"))
        if not is_right(value, response := outside.replace("F", formula.replace("@", rf"\boxed{{{value}}}")))
    ]
    assert not lost, lost


def test_the_value_of_the_whole_is_what_is_declared():
    assert is_right("24", r"$2\boxed{12}$")
    assert is_right("-12", r"$-\boxed{12}$")
    assert is_right("12%", r"\boxed{12}\%")
    assert judge(problem("number", "12000000"), r"\boxed{12} million").correct
    assert judge(problem("number", "-12"), r"-\boxed{12}").correct


@pytest.mark.parametrize(
    "written", ["12", "**12**", "**12.**", "**12 cm²**", "12 cm²", "$12$", r"\(12\)", "**$12$**", "`12`"]
)
@pytest.mark.parametrize("verifier", ["number", "math"])
def test_a_value_in_prose_is_no_answer_where_a_box_would_be_none(verifier, written):
    of = problem(verifier, "12", question=ASKED)
    for lead in ("", "We look at the triangle. Its base is 6 and its height 4.\n\n"):
        for said in (*DENIED, *CHANGED):
            text = lead + said.replace("@", written)
            assert not judge(of, text).correct, text
