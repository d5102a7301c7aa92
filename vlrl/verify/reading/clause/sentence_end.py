"""Where a sentence ends, in the scripts of ten languages."""

from __future__ import annotations

import re

_STOP = r"(?:\*\*|[\"'”’)]|\$\$?|\\[\])])?\s+(?=[\"'“‘(*\\$]*"
SENTENCE_END = re.compile(  # "No. 6", "B. 6" and "approx. 6" don't end at their full stop
    r"(?=[\s*\"'”’)$\\])(?<=[^\s.\\][.!?])(?:"
    r"(?<!\b(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mrs|Fig)\.)(?<!\b(?:Mr|Dr|St|Mt|vs|ca|pp)\.)"
    rf"{_STOP}[A-ZА-ЯÀ-Þء-ي¿¡\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])"
    r"|(?<!\b[A-Za-z]\.)(?<!\b(?:No|no|Nr|nr|ca|Ca|Eq|eq|pp)\.)(?<!\b(?:Fig|fig|Tab|tab|max|min|vol|est|num|Num)\.)"
    rf"(?<!\b[Aa]pprox\.){_STOP}[0-9]))"
    r"|(?<=[。！？；؟।])\s*(?=\S)|\n"
)
