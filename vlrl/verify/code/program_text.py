"""The program of a response: one fenced block, or none and the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vlrl.code_execution.languages import ALIASES, LANGUAGES
from vlrl.verify.reading.declared import visible_text

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
    text = visible_text(response)
    answers = _ANSWER.findall(text)
    if len(set(answers)) > 1:
        return ProgramText(None, note=f"{len(answers)} answers")
    blocks, closed = _blocks(answers[0] if answers else text)
    if not closed:
        return ProgramText(None, note="a code block that is not closed")
    if language == "any":
        wanted = [block for block in blocks if _language(block.tag)]
    else:
        wanted = [block for block in blocks if _language(block.tag) == language]
        wanted = wanted or [block for block in blocks if not block.tag]
    sources = list(dict.fromkeys(block.text for block in wanted if block.text.strip()))
    if not sources:
        named = "code block" if language == "any" else f"{language} code block"
        return ProgramText(None, note=f"no {named}")
    if len(sources) > 1:
        return ProgramText(None, note=f"{len(sources)} programs")
    if len(sources[0]) > MAX_PROGRAM_CHARS:
        return ProgramText(None, note=f"a program of {len(sources[0])} characters")
    return ProgramText(sources[0], _language(wanted[0].tag) if language == "any" else language)


def _language(tag: str) -> str:
    """The language that a block's tag names: its first word, without what some renderers add; "" for another one."""
    name = re.split(r"[\s,{:]", tag.strip().lower(), maxsplit=1)[0]
    name = ALIASES.get(name, name)
    return name if name in LANGUAGES else ""


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
