"""The program of a response: one fenced block, or none and the reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from vlrl.code_execution.languages import ALIASES, LANGUAGES
from vlrl.verify.values.shown_text import visible_text

MAX_PROGRAM_CHARS = 65_536
_FENCE = re.compile(r"^[ ]{0,3}(`{3,}|~{3,})[ \t]*([^\n`]*)$")
_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class ProgramText:
    """`source` in `language`; None where there is no program, with the reason in `note`."""

    source: str | None
    language: str = ""
    note: str = ""


@dataclass(frozen=True)
class _Block:
    tag: str
    text: str


def program_text(response: str, language: str) -> ProgramText:
    """The one program of a response in the declared language; "any" takes the language that the block names.

    Thinking never counts; where an `<answer>` stands, only what is in it. Blocks of another language (a shell command,
    an example's output) are passed over. Two different programs are none, and so is a block that isn't closed. A block
    without a language counts where none names the declared one.
    """
    if language == "any":
        return one_block(response, "code block", lambda name: ALIASES.get(name, name) in LANGUAGES, untagged=False)
    found = one_block(response, f"{language} code block", lambda name: ALIASES.get(name, name) == language)
    return found if found.source is None else replace(found, language=language)


def one_block(response: str, said: str, wanted: Callable[[str], bool], untagged: bool = True) -> ProgramText:
    """The one fenced block of a response whose tag (first word, small letters) is wanted, as `program_text` says.

    said      what isn't there, for the note where nothing is
    untagged  whether a block without a tag counts where none is wanted
    """
    answers = _answers(response)
    if len(set(answers)) > 1:
        return ProgramText(None, note=f"{len(answers)} answers")
    blocks, closed = _blocks(answers[0])
    if not closed:
        return ProgramText(None, note="a code block that is not closed")
    named = [block for block in blocks if wanted(_name(block.tag))]
    if untagged:
        named = named or [block for block in blocks if not block.tag]
    sources = list(dict.fromkeys(block.text for block in named if block.text.strip()))
    if not sources:
        return ProgramText(None, note=f"no {said}")
    if len(sources) > 1:
        return ProgramText(None, note=f"{len(sources)} programs")
    if len(sources[0]) > MAX_PROGRAM_CHARS:
        return ProgramText(None, note=f"a program of {len(sources[0])} characters")
    name = _name(named[0].tag)
    return ProgramText(sources[0], ALIASES.get(name, name))


def bare_text(response: str) -> str:
    """All of the answer without thinking and tags, for answers that are programs without a fence; "" for several
    answers, and for one that is too long.
    """
    answers = _answers(response)
    text = answers[0].strip()
    return "" if len(set(answers)) > 1 or len(text) > MAX_PROGRAM_CHARS else text


def _answers(response: str) -> list[str]:
    """What stands in `<answer>` tags; without them, all that isn't thinking."""
    text = visible_text(response)
    return _ANSWER.findall(text) or [text]


def _name(tag: str) -> str:
    """The first word of a block's tag, without what some renderers add."""
    return re.split(r"[\s,{:]", tag.strip().lower(), maxsplit=1)[0]


def _blocks(text: str) -> tuple[list[_Block], bool]:
    """The fenced blocks in order, and whether the last one is closed (CommonMark: by a fence at least as long)."""
    found: list[_Block] = []
    fence, tag = "", ""
    lines: list[str] = []
    for line in text.splitlines():
        match = _FENCE.match(line)
        if not fence:
            if match is not None:
                fence, tag, lines = match[1], match[2], []
        elif match is not None and match[1].startswith(fence) and not match[2].strip():
            found.append(_Block(tag.strip(), "\n".join(lines) + "\n"))
            fence = ""
        else:
            lines.append(line)
    return found, not fence
