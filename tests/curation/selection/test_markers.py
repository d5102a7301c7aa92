"""Signs of a long chain of thought, counted by hand."""

from __future__ import annotations

import pytest

from vlrl.curation.selection.markers import count_markers, marker_report

NONE = {"planning": 0, "evaluation": 0, "reflection": 0, "exploration": 0, "steps": 0, "thinking_chars": 0}


@pytest.mark.parametrize(
    ("response", "signs"),
    [
        ("It is 7.", {}),
        ("First, we need to add.", {"planning": 2}),
        ("Let me check: 3+4=7, makes sense.", {"evaluation": 2}),
        ("Wait, that's wrong. Hmm. Actually, 8.", {"reflection": 4}),
        ("Alternatively, let me try 9.", {"exploration": 2}),
        ("1. add\n2. carry\n- done\nStep 3 is last", {"steps": 4}),
        ("waiting actually means nothing here", {}),  # words that only begin or stand like a sign
    ],
)
def test_signs_by_hand(response, signs):
    assert count_markers(response) == NONE | signs


def test_what_is_thought_is_counted_in_characters():
    assert count_markers("<think>abc</think>7")["thinking_chars"] == len("<think>abc</think>")


def test_the_report_has_means_and_shares():
    report = marker_report(["Wait. Wait.", "7", "Hmm."])
    assert report["reflection"] == {"mean": 1.0, "share": pytest.approx(2 / 3)}
    assert report["steps"] == {"mean": 0.0, "share": 0.0}
    assert marker_report([]) == {}
