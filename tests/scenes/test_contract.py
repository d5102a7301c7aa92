"""The contract of generated problems can fail: second answers, labels that can't be read, slips of English."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from vlrl.scenes.canvas import INK, NAMED, WHITE, Canvas, Label
from vlrl.scenes.contract import faults_of, slips
from vlrl.scenes.domain import domains
from vlrl.scenes.dot_sequence import DotSequence
from vlrl.scenes.pattern_matrix import PatternMatrix
from vlrl.scenes.which_panel import WhichPanel
from vlrl.seeding import stream
from vlrl.types import Draft


@dataclass(frozen=True)
class _Silent:
    """Says nothing about its answers."""


@dataclass(frozen=True)
class _Even:
    """Which even number is on the card?"""

    def answers(self, scene: list[int]) -> set[str]:
        return {str(n) for n in scene if n % 2 == 0}


def test_a_second_answer_is_a_fault():
    assert faults_of(_Even(), Draft("Which number is even?", "4", scene=[1, 4, 7])) == ()
    assert "admits ['4', '6']" in faults_of(_Even(), Draft("Which number is even?", "4", scene=[1, 4, 6]))[0]
    assert "admits []" in faults_of(_Even(), Draft("Which number is even?", "4", scene=[1]))[0]


def test_a_domain_says_why_there_is_one_answer_or_finds_all():
    assert "one_answer" in faults_of(_Silent(), Draft("How many?", "4"))[0]


def test_two_rules_that_go_on_differently_are_two_answers():
    assert DotSequence().answers([2, 3, 5, 8]) == {"12", "13"}
    assert DotSequence().answers([2, 4, 6, 8]) == {"10"}
    assert DotSequence().answers([3, 6, 12, 24]) == {"48"}
    assert DotSequence().answers([1, 2, 4, 7]) == {"11"}
    assert DotSequence().answers([1, 2, 4, 9]) == set()


def test_no_sequence_of_many_follows_two_rules():
    made = DotSequence(size=160)
    for i in range(400):
        draft = made.draw(stream(0, "scenes", "dot_sequence", i), 0.4 + 0.6 * (i % 7) / 6)
        assert made.answers(draft.scene) == {draft.answer}


def test_a_panel_where_the_relation_nearly_holds_is_a_second_answer():
    there, nearly, against = [(20.0, 50.0), (70.0, 50.0)], [(51.0, 20.0), (50.0, 70.0)], [(70.0, 50.0), (20.0, 50.0)]
    claims = [(0, "to the left of", 1)]
    assert WhichPanel().answers({"panels": [against, there, against, against], "claims": claims}) == {"B"}
    assert WhichPanel().answers({"panels": [nearly, there, against, against], "claims": claims}) == {"A", "B"}


def test_in_every_panel_the_relation_holds_clearly_or_its_opposite_does():
    made = WhichPanel(size=64)
    for i in range(200):
        draft = made.draw(stream(0, "scenes", "which_panel", i), (i % 2) * 1.0)
        for places in draft.scene["panels"]:
            for a, word, b in draft.scene["claims"]:
                axis = 0 if "left" in word or "right" in word else 1
                assert abs(places[a][axis] - places[b][axis]) >= 12


def test_a_matrix_in_which_two_choices_keep_a_rule_has_two_answers():
    draft = PatternMatrix().draw(stream(0, "scenes", "pattern_matrix", 1), 0.0)
    right = "ABCD".index(draft.answer)
    offered = list(draft.scene["offered"])
    offered[(right + 1) % 4] = offered[right]
    assert len(PatternMatrix().answers({**draft.scene, "offered": offered})) == 2


def test_labels_that_can_be_read_are_no_complaint():
    canvas = Canvas(200)
    canvas.line((0, 50), (100, 50), INK)
    canvas.text((50, 40), "18°", 6)
    canvas.text((50, 60), "x", 6)
    assert canvas.illegible() == ()
    assert [label.words for label in canvas.labels] == ["18°", "x"]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda c: c.text((99, 50), "18°", 6), "'18°' leaves the image"),
        (lambda c: c.text((50, -1), "18°", 6), "'18°' leaves the image"),
        (lambda c: (c.text((50, 50), "18°", 6), c.text((54, 50), "7", 6)), "'7' touches '18°'"),
        (lambda c: (c.text((50, 50), "18°", 6), c.line((0, 50), (100, 50), NAMED["red"])), "'18°' is drawn over"),
        (lambda c: (c.line((0, 50), (100, 50), INK), c.text((50, 50), "18°", 6)), "'18°' lies on ink of its own shade"),
        (lambda c: (c.disc((50, 50), 9, NAMED["yellow"]), c.text((50, 50), "A", 6, WHITE)), "'A' lies on ink"),
        (lambda c: (c.disc((50, 50), 90, INK), c.place([(50, 50), (60, 60)], "18°", 6)), "'18°' has no room"),
    ],
)
def test_a_label_that_can_not_be_read_is_named(spoil, complaint):
    canvas = Canvas(200)
    spoil(canvas)
    assert any(found.startswith(complaint) for found in canvas.illegible())
    draft = Draft("What is x?", "1", images=(canvas.image(),), scene=[2])
    assert any(complaint in fault for fault in faults_of(_Even(), draft))


def test_a_label_is_placed_where_it_can_be_read():
    canvas = Canvas(200)
    canvas.line((0, 50), (100, 50), INK)
    assert canvas.place([(50, 50), (50, 30)], "18°", 6)
    (label,) = canvas.labels
    assert label.bottom < 80
    assert not canvas.place([(50, 30)], "7", 6)


def test_boxes_side_by_side_touch():
    one = Label("a", 0, 0, 10, 10, INK)
    assert one.touches(Label("b", 10, 0, 20, 10, INK))
    assert not one.touches(Label("b", 12, 0, 20, 10, INK))


def test_neither_the_complaints_nor_anything_else_gets_into_the_file():
    draft = domains.build("circle_angle").draw(np.random.default_rng(0), 0.5)
    assert draft.images[0].info == {"illegible": ()}


@pytest.mark.parametrize(
    ("text", "slip"),
    [
        ("Which is an disc?", "'an disc'"),
        ("Is that a orange disc?", "'a orange'"),
        ("Is that a 8-sided figure?", "'a 8'"),
        ("Are there 1 dots?", "'1 dots'"),
        ("How many {0} are there?", "placeholder"),
        ("How many of the the dots?", "doubled"),
        ("How many  dots?", "white space"),
        ("Count the dots", "no mark"),
    ],
)
def test_slips_of_english_are_found(text, slip):
    assert any(slip in found for found in slips(text))


@pytest.mark.parametrize(
    "text",
    [
        "Is that an orange disc, a unit, a university, an hour, an 8-sided figure or an X?",
        "Walk 1 block north. What is 1 minus 1? Which one stands there?",
    ],
)
def test_good_english_has_no_slips(text):
    assert slips(text) == ()
