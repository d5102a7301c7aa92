"""A sentence says it of the question's subject, or is no answer: each right answer beside a near miss."""

from __future__ import annotations

import pytest
from patience import patiently, problem

import vlrl.verify  # noqa: F401  fills the registry
from vlrl.verify.reading.another_quantity import names_another
from vlrl.verify.reading.clause.subject import names_another_subject

CLOCK, TRIANGLE = "What time does the clock show?", "What is the perimeter of the triangle?"
CHOICES, TOP = {"choices": ["12 cm", "14 cm"]}, "Which country has the highest GDP?"
PENCIL, CAR, TEA = "How long is the pencil in cm?", "What color is the car?", "What percentage of people chose tea?"
TOWN, PEN = "What is the population of the town?", "How much does the book cost in dollars?"
RENT = "What percentage of the budget was spent on rent?"
JACKET, SIMPLIFY = "What colour is the woman's jacket?", "Simplify $\\frac{x^2-9}{x-3}$."
BALL = "What is the probability of drawing a red ball?"
NUMBERS = [
    (PENCIL, "The pencil is {} cm long.", "The table is {} cm long."),
    (PENCIL, "Its length is {} cm.", "The pencil is {} cm wide."),
    (PENCIL, "The pencil measures **{} centimeters**.", "The pencil is {} cm longer than the pen."),
    ("How fast is the car going in km/h?", "The car is going {} km/h.", "The truck is going {} km/h."),
    ("How fast is the car going in km/h?", "The speedometer reads {} km/h.", "The speed limit is {} km/h."),
    ("How fast is the car going in km/h?", "Its speed is {} km/h.", "The maximum speed of the car is {} km/h."),
    (TEA, "{}% of people chose tea.", "{}% of people chose juice."),
    (TEA, "Tea was chosen by {}% of people.", "Juice was chosen by {}% of people."),
    (TEA, "Tea: {}%", "Coffee: {}%"),
    (TEA, "<answer>{} %</answer>", "{} people chose tea."),
    (TOWN, "The town has a population of {}.", "The population of the neighbouring town is {}."),
    (TOWN, "The population of the town is {}.", "The population density of the town is {}."),
    (PEN, "The book costs ${}.", "The pen costs ${}."),
    ("How tall is the man in cm?", "The person is {} cm tall.", "The woman is {} cm tall."),
    ("How many minutes does the recipe take?", "It takes {} minutes.", "The oven takes {} minutes to warm up."),
    (RENT, "Rent takes {}% of the budget.", "Food accounts for {}%."),
    (RENT, "{}% of the budget was spent on rent.", "{}% of the rent was paid."),
    (RENT, "**{}%** was spent on rent.", "{} dollars were spent on rent."),
    ("How many birds are there?", "__Answer:__ {}", "例: **{}**"),
    ("How many birds are there?", "<u>{}</u>", "Someone wrote *{}*, wrongly."),
    ("How many birds are there?", "I see *{}* birds.", "I'm not able to see the birds. {}"),
    ("Quel est le prix total en euros ?", "Le prix total est de {} €.", "Le prix total n'est pas de {} €."),
    ("كم عدد الكراسي في الصورة؟", "يوجد في الصورة {} كرسيًا.", "لا يوجد في الصورة {} كرسيًا."),
]


FLOORS = "How many floors does the building have?"
TRAIN, LEEDS = "What is the current speed of the train in km/h?", "What time does the train to Leeds arrive?"
ROOM, DOG = "How many chairs are in the room?", "What is the weight of the dog in kg?"
SUBJECTS = [  # (question, what is said of its subject, what is said of others)
    (FLOORS, ["The building has 3 floors.", "It has 3 floors.", "The house has 3 floors."],
     ["The neighbouring building has 3 floors.", "The adjoining building has 3 floors.", "The bridge has 3 floors."]),
    (DOG, ["The dog weighs 40 kg.", "Its weight is 40 kg.", "The weight of the dog is 40 kg."],
     ["The leash weighs 40 kg.", "The dog's owner weighs 40 kg.", "The weight of the sack is 40 kg."]),
    ("How old is Maria?", ["Maria is 25.", "She is 25."], ["Tom is 25.", "Maria's cousin is 25."]),
    (TRAIN, ["The speed is 90 km/h.", "The train's current speed is 90 km/h."],
     ["The train's cruising speed is 90 km/h.", "The speed limit is 90 km/h.", "The tram travels at 90 km/h."]),
    (LEEDS, ["The train arrives at 7:30.", "The train to Leeds gets in at 7:30."],
     ["The train departs at 7:30.", "The train to York arrives at 7:30.", "The coach to Leeds arrives at 7:30."]),
    (ROOM, ["There are 12 chairs in the room.", "The classroom has 12 chairs."],
     ["The hall next door holds 12 chairs.", "There are 12 chairs in the garage."]),
    ("How many students play football?", ["Football: 7", "Total: 7"], ["Tennis: 7", "Chess: 7"]),
    ("How many books did Anna borrow?", ["Anna borrowed 6 books."], ["Anna lent 6 books.", "Ben borrowed 6 books."]),
    ("What color is the vehicle?", ["The van is red.", "The vehicle is red."], ["The house is red.", "The hat is red"]),
    ("De quelle couleur est la voiture ?", ["La voiture est rouge."], ["La maison est rouge.", "Le vélo est rouge."]),
    ("Wie groß ist Lena in Metern?", ["Lena ist 1,75 m groß."], ["Max ist 1,75 m groß.", "Lenas Opa ist 1,75 m groß."]),
    ("¿Cuál es la capital de España?", ["La capital de España es Madrid."], ["La capital de Francia es Madrid."]),
    ("Сколько яблок в корзине?", ["В корзине 15 яблок."], ["В ящике 15 яблок."]),
    ("车的颜色是什么？", ["车的颜色是红色。"], ["房子的颜色是红色。"]),
    ("求角A的度数。", ["∠A=30°", "角A的度数为30°"], ["∠B=30°", "角A的补角是30度。"]),
    ("What is the value of x?", ["x=5"], ["y=5"]),
]  # fmt: skip


@pytest.mark.parametrize(("question", "own", "others"), SUBJECTS)
def test_what_nothing_in_the_question_accounts_for_is_another_subject(question: str, own: list[str], others: list[str]):
    assert not [sentence for sentence in own if names_another(sentence, question)]
    assert not [sentence for sentence in others if not names_another(sentence, question)]


@pytest.mark.parametrize("value", ["25", "48", "80"])
@pytest.mark.parametrize(("question", "right", "wrong"), NUMBERS)
def test_a_number_is_said_of_what_is_asked(question: str, right: str, wrong: str, value: str):
    asked = problem("number", value, question)
    assert patiently(asked, right.format(value)).correct
    assert not patiently(asked, wrong.format(value)).correct


@pytest.mark.parametrize(
    "head",
    ["answer", "correct option", "final count", "estimate", "reading", "value", "one", "object", "unit"],
)
@pytest.mark.parametrize("question", [CAR, TOWN, TEA, "How fast is the car going in km/h?"])
def test_words_for_anything_name_no_other_subject(head: str, question: str):
    assert not names_another_subject(f"The {head} is 5.", question)
    assert names_another_subject("The average speed is 5.", "How fast did it go?")
    assert names_another_subject("The speed is 5.", CAR)  # a measure, and not the one that is asked
    assert not names_another_subject("The speed is 5.", "How fast is the car going in km/h?")
    assert not names_another_subject("The average speed is 5.", "How fast was it on average?")


OTHERS = [
    ("text", "red", CAR, {}, "The car is red.", "The house is red."),
    ("text", "red", CAR, {}, "It is a red car.", "The bus is red."),
    ("text", "blue", JACKET, {}, "Her jacket is blue.", "Her hat is blue."),
    ("text", "blue", JACKET, {}, "The jacket worn by the woman is blue.", "The man's jacket is blue."),
    ("text", "Brazil", "Which country won the tournament?", {}, "The tournament was won by Brazil.",
     "The tournament was hosted by Peru, not Brazil."),
    ("math", "x+3", SIMPLIFY, {}, "\\boxed{x+3,\\ x \\neq 3}", "\\boxed{x-3,\\ x \\neq 3}"),
    ("text", "France", "Which country has the highest GDP in the chart?", {}, "**France** has the highest GDP.",
     "After France, Spain has the highest GDP."),
    ("text", "France", TOP, {}, "It's France (2.9 trillion).", "It's Spain (France?)."),
    ("text", "France", TOP, {}, "France, followed by Spain.",
     "Spain, followed by France."),
    ("text", "Monday", "On which day were sales lowest?", {}, "**Answer:** Monday (120 units)",
     "**Answer:** Monday (or Tuesday)"),
    ("time", "10:15", CLOCK, {"hours": 12}, "The time is 10:15.", "The train leaves at 10:15."),
    ("choice", "B", TRIANGLE, CHOICES, "The perimeter is 14 cm.",
     "The area is 14 cm."),
    ("choice", "B", TRIANGLE, CHOICES,
     "So the answer is option B: 14 cm, not A.", "So the answer is option A: 12 cm, not B."),
    ("math", "40", "What is the measure of angle BOC?", {}, "\\boxed{\\angle COB = 40^\\circ}",
     "\\boxed{\\angle AOC = 40^\\circ}"),
    ("math", "3:2", "What is the ratio of cats to dogs?", {}, "The ratio of cats to dogs is **3:2**.",
     "The ratio of dogs to cats is **3:2**."),
    ("math", "(3,4)", "Find the midpoint of the segment.", {}, "The midpoint is at **(3, 4)**.",
     "The endpoint is (3, 4)."),
    ("math", "2\\sqrt{3}", "Find the height of the triangle.", {}, "The height is $2\\sqrt{3}$.",
     "The base is $2\\sqrt{3}$."),
    ("math", "\\frac{3}{8}", BALL, {}, "The probability is 3 out of 8.", "<answer>three eighths of a ball</answer>"),
    ("math", "\\frac{3}{8}", BALL, {}, "The chance is **3 in 8**.", "The chance is **8 in 3**."),
    ("math", "x=2, y=5", "Solve the system.", {}, "The solution is x = 2, y = 5.", "The solution is x = 5, y = 2."),
    ("math", "\\begin{pmatrix}1\\\\2\\end{pmatrix}", "Find the vector AB.", {}, "\\boxed{(1,2)}", "\\boxed{(2,1)}"),
    ("list", '["red", "blue"]', "Which colors appear in the flag?", {}, "The flag's colors are **red** and **blue**.",
     "The flag's colors are **red** or **blue**."),
    ("box", "[100, 200, 300, 400]", "Locate the dog.", {}, "The dog is at [100, 200, 300, 400].",
     "The cat is at [100, 200, 300, 400]."),
]  # fmt: skip


@pytest.mark.parametrize(("verifier", "gold", "question", "facts", "right", "wrong"), OTHERS)
def test_so_is_every_other_answer(
    verifier: str, gold: str, question: str, facts: dict[str, object], right: str, wrong: str
):
    asked = problem(verifier, gold, question, **facts)
    assert patiently(asked, right).correct
    assert not patiently(asked, wrong).correct
