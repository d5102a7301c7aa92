"""What every generated problem has to hold: one right answer, labels that can be read, English that reads well.

`faults_of` asks one draft; the conformance test asks many of every domain, and authors may ask their own.
"""

from __future__ import annotations

import re
from typing import Any

from vlrl.types import Draft

VOWEL_SOUND = re.compile(r"^(?:[aeio]|u(?!ni|se|su|ro|k)|hour|honest|8|11\b|18\b|[AEFHILMNORSX]\b)", re.IGNORECASE)
ARTICLE = re.compile(r"\b(an?)\s+(\w+)")
ONE_OF_MANY = re.compile(r"\b1 (?!is\b|has\b|was\b|plus\b|minus\b|less\b)[a-z]+s\b")


def faults_of(made_by: Any, draft: Draft) -> tuple[str, ...]:
    """What is wrong with a draft of the domain `made_by`, none if nothing is.

    - The domain's `answers(scene)` must find the draft's answer and no other one. A domain whose questions can't have a
      second answer says why, as `one_answer = "…"`, instead.
    - No label that a canvas drew leaves its image, touches another, or is covered.
    - The question is a sentence without slips that one hears when it is read aloud.
    """
    found = []
    if hasattr(made_by, "answers"):
        admitted = set(made_by.answers(draft.scene))
        if admitted != {draft.answer}:
            found.append(f"the answer is {draft.answer!r}, the question admits {sorted(admitted)}")
    elif not getattr(made_by, "one_answer", ""):
        found.append("the domain has neither a method answers(scene) nor a line one_answer = '…'")
    for i, image in enumerate(draft.images):
        found += [f"image {i + 1}: {complaint}" for complaint in image.info.get("illegible", ())]
    return (*found, *slips(draft.question))


def slips(text: str) -> tuple[str, ...]:
    """Slips of English that rules can find: braces left over, a wrong a/an, `1 dots`, doubled words, no end mark."""
    found = []
    if re.search(r"[{}]", text):
        found.append(f"a placeholder was left in {text!r}")
    if "  " in text or text != text.strip():
        found.append(f"white space is doubled or stands at an end of {text!r}")
    if not re.search(r"[.?!]$", text):
        found.append(f"{text!r} has no mark at its end")
    if re.search(r"\b([A-Za-z]+) \1\b", text):
        found.append(f"a word is doubled in {text!r}")
    for article, word in ARTICLE.findall(text):
        if (article == "an") != bool(VOWEL_SOUND.match(word)):
            found.append(f"'{article} {word}' in {text!r}")
    found += [f"'{match.group(0)}' in {text!r}" for match in ONE_OF_MANY.finditer(text)]
    return tuple(found)
