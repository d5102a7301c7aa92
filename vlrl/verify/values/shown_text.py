r"""What a response shows: without its thinking, whatever it is set with.

Thinking is cut out. So is markup that would part or hide what stands together:
a model's own marks around its answer become a box, a power of a unit that is set as a formula of its own joins its unit
(`cm$^2$`, `cm\(^2\)`), a label in `\text{Answer: }` is its words, emoji around a line are none of it, and a response
that is one code fence is what the fence holds. Tokens that begin and end a turn are none of it; `[ANSWER]` is a tag, or
a label where nothing closes it. Emphasis is bold type, however it is written: `<b>`, `<strong>`, `*12*`.
"""

from __future__ import annotations

import re

THINK_TAG = re.compile(r"<\s{0,3}(/?)\s{0,3}think(?:ing)?\s{0,3}>|◁(/?)think▷", re.IGNORECASE)
_BOX_MARKS = re.compile(r"<\|begin_of_box\|>(.*?)<\|end_of_box\|>", re.DOTALL)  # GLM-4.5V and its successors
_POWER_APART = re.compile(r"(?<=[A-Za-z])\s?(?:\$|\\\()\s?(\^\s?\{?\s?[23]\s?\}?)\s?(?:\$|\\\))")
_LABEL = re.compile(r"\\(?:text|textbf|textit|mathbf|mathrm|bf)\s?\{([^{}\d]{2,40}:\s?)\}")
_THEREFORE = re.compile(r"\$\s?\\therefore\s?\$|∴")
_SAYS = (  # crosses, questions, warnings; numbers, letters, flags, hours, cards, dice and chessmen may be answers
    "❌❎✖✕✗✘🚫⛔👎❓❔🤔🤷⚠☒✝❗🔟"
    "\\u2654-\\u2667\\u2680-\\u2685\\u2776-\\u2793\\U0001F000-\\U0001F2FF\\U0001F550-\\U0001F567"
)
_EMOJI = rf"(?:(?![{_SAYS}])[\u2600-\u27BF\u2B50\u2B55\U0001F300-\U0001FAFF]\uFE0F?\s?)"
_AROUND_LINE = re.compile(rf"^[ \t]*{_EMOJI}+(?=\S)|(?<=\S)[ \t]*{_EMOJI}+[ \t]*$", re.MULTILINE)
_EMPHASIS_TAG = re.compile(r"</?(?:b|strong|em|i|u|mark)>", re.IGNORECASE)
_UNDERSCORES = re.compile(r"(?<![\w\\])__(?=[^\s_])([^_\n]{1,120})__(?!\w)")
_ONE_STAR = re.compile(  # `*12*`, but not `2*3*4`, `x^*` or the bullet of a list
    r"""(?<![^\s("'“:：—–-])\*(?=[^\s*])([^*\n$]{1,120}?)(?<=[^\s*])\*(?![^\s.,;:!?)"'”—–。，-])"""
)
_END_TOKEN = re.compile(
    r"<\|(?:im_end|im_start|endoftext|eot_id|eom_id|end|end_of_text|eos|pad)\|>|</s>|<(?:eos|pad|end_of_turn|end_of_utterance)>"
)
_START_TOKENS = re.compile(  # `<s>8</s> 7` is 7 with an 8 struck out
    r"\s*(?:(?:</s>|<s>(?!.*</s>\s*[^\s<])|<bos>|<start_of_turn>(?:model)?|<\|(?:im_end|im_start|endoftext|begin_of_text|"
    r"assistant)\|>)\s*)+(?:assistant\s*\n)?",
    re.DOTALL,
)
_BRACKETED_TAG = re.compile(r"(?<!\\)\[\s?(/?)\s?answer\s?\](?!\()", re.IGNORECASE)
_FENCE = re.compile(r"\s*```[ \t]*(?:text|txt|plaintext|markdown|md)?[ \t]*\n([^`]*?)\n?[ \t]*```\s*")


def visible_text(response: str) -> str:
    """The response without its thinking."""
    if "hink" not in response and "HINK" not in response:
        return response
    kept: list[str] = []
    depth, start = 0, 0
    for match in THINK_TAG.finditer(response):
        closing = bool(match.group(1) or match.group(2))
        if not closing:
            if depth == 0:
                kept.append(response[start : match.start()])
            depth += 1
        elif depth <= 1:
            if depth == 0:
                kept.clear()  # a prompt that ends with an opening tag: all up to here was thought
            depth, start = 0, match.end()
        else:
            depth -= 1
    if depth == 0:
        kept.append(response[start:])
    return "".join(kept)


def without_markup(text: str) -> str:
    """The text without what shows nothing; text without such marks comes back as it is."""
    if "<" in text:
        text = _START_TOKENS.sub("", text, count=1) if text.lstrip()[:1] == "<" else text
        text = text[: end.start()] if (end := _END_TOKEN.search(text)) is not None else text
    if "[" in text and _BRACKETED_TAG.search(text):
        text = _BRACKETED_TAG.sub(r"<\1answer>" if "[/" in text else "\nAnswer: ", text)
    if "<|begin_of_box|>" in text:
        text = _BOX_MARKS.sub(r"\\boxed{\1}", text)
    if "^" in text and ("$" in text or "\\(" in text):
        text = _POWER_APART.sub(r"\1", text)
    if ":" in text and "\\" in text:
        text = _LABEL.sub(r"\1", text)
    if "∴" in text or "\\therefore" in text:
        text = _THEREFORE.sub("Therefore,", text)
    if not text.isascii():
        text = _AROUND_LINE.sub("", text)
    if "*" in text:
        text = _ONE_STAR.sub(r"**\1**", text)
    if "__" in text:
        text = _UNDERSCORES.sub(r"**\1**", text)
    if "</" in text:
        text = _EMPHASIS_TAG.sub("**", text)
    if "```" in text and (whole := _FENCE.fullmatch(text)) is not None:
        text = whole[1]
    return text
