"""Nothing is defined that nobody names: neither the package, nor its tests, scripts and examples, nor a library."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORD = re.compile(r"[A-Za-z_]\w*")
# functions, classes and constants; what a decorator files or checks with is asked for by another name
DEFINED = re.compile(
    r"(?<!\n)\n(?! *@)[^\n]*\n *(?:def|class) (\w+)|\n\n+ *(?:def|class) (\w+)|\n([A-Z]\w*)(?:: [^\n=]+)? = "
)
OF_LIBRARIES = {  # what classes of transformers, the harnesses and the standard library ask those derived from them for
    "_loglikelihood_tokens", "char_to_token", "emit", "find_class", "generate_until_multi_round", "get_code",
    "get_mask_sizes", "get_max_cache_shape", "get_max_length", "get_seq_length", "update_conv_state",
    "update_recurrent_state",
}  # fmt: skip


def test_every_name_is_named_elsewhere():
    folders = ("vlrl", "tests", "scripts", "examples")
    texts = {file: file.read_text() for folder in folders for file in (ROOT / folder).rglob("*.py")}
    named = Counter(word for text in texts.values() for word in WORD.findall(text))
    dead = {
        f"{file.relative_to(ROOT)}: {name}"
        for file, text in texts.items()
        if file.is_relative_to(ROOT / "vlrl")
        for name in (next(filter(None, found)) for found in DEFINED.findall(text))
        if named[name] == 1 and not name.startswith("__")
    }
    assert not dead, "\n".join(sorted(dead))
