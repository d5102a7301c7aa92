r"""What compares two mathematical texts, in worker processes that `worker_pool` has forked and killed.

`fork_server` loads it by its path, so that nothing but the standard library and math-verify is in those processes. A
job and its reply:

    {"gold": ["\\frac{1}{2}"], "answer": ["0.5"], "strict": true, "rounding": 6, "relations": false}
    {"equal": true, "parsed": true}

Texts are LaTeX, parsed by math-verify's ANTLR grammar (latex2sympy). Nothing here evaluates text as Python: sympy's
`parse_expr`, `eval_expr` and `lambdify`, which do, are replaced before the first text is read. In their place stands a
reader of plain numerals that refuses all other text (sympy's own `Number("12")` goes through `parse_expr`), so that
`sympify` of a string, wherever it hides, refuses too. math-verify's extractor that calls `parse_expr` is not used.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

UTILITIES = ("sympy.utilities", "sympy.utilities.lambdify")
WARM_UP = (
    ("x+1", "1+x^2"),
    ("(1,2)", "[1,2)"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\3\end{pmatrix}"),
    (r"x=\sin(y)", "x<2"),
    (r"\sum_{k=0}^{n} k", r"\sum_{j=0}^{n} j"),
    (r"(-\infty,3)\cup(4,5]", r"x \in (-\infty,3)"),
    (r"\sin(2x)", r"2\sin(x)\cos(x)"),
)  # one of each kind: parser tables and parts of sympy that load late are then there before a worker is forked


_NUMERAL = re.compile(r"[0-9]{0,1000}(?:\.[0-9]{0,1000})?(?:[eE][-+]?[0-9]{1,4})?", re.ASCII)


def refuse(*_: Any, **__: Any) -> Any:
    """Stands in for every function that would evaluate text."""
    raise ValueError("text is never evaluated here")


def read_number(text: Any, *_: Any, **__: Any) -> Any:
    """Stands in for sympy's `parse_expr`: a plain numeral as a sympy number. Raises ValueError for all other text."""
    import sympy

    if not isinstance(text, str) or not _NUMERAL.fullmatch(text.strip()) or not any(c.isdigit() for c in text):
        return refuse()
    text = text.strip()
    return sympy.Integer(int(text)) if text.isdigit() else sympy.Float(text)


def load() -> Any:
    """math-verify's modules, with everything that evaluates text shut. Returns (parse, verify, configuration)."""
    import math_verify
    import math_verify.parser
    import sympy.physics.units  # noqa: F401  simplify imports it late, and it reads its own names through parse_expr
    from latex2sympy2_extended import NormalizationConfig

    for module in ("sympy.parsing.sympy_parser", "sympy.parsing", "math_verify.parser", "sympy", *UTILITIES):
        for name, instead in (("parse_expr", read_number), ("eval_expr", refuse), ("lambdify", refuse)):
            if hasattr(sys.modules[module], name):
                setattr(sys.modules[module], name, instead)
    logging.disable(logging.CRITICAL)
    normal = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none", equations=False
    )  # units are the parent's task: here "5 m" must not become 5
    loaded = math_verify.parse, math_verify.verify, [math_verify.LatexExtractionConfig(normalization_config=normal)]
    for gold, given in WARM_UP:
        answer(loaded, {"gold": [gold], "answer": [given], "strict": True, "rounding": 6, "relations": False})
    return loaded


def answer(loaded: Any, job: dict[str, Any]) -> dict[str, Any]:
    """The verdict on one pair: {"equal", "parsed"}; `parsed` is False where one side is no mathematics."""
    parse, verify, config = loaded
    gold = _parse(parse, config, job["gold"])
    given = _parse(parse, config, job["answer"])
    for cached in ("parse_latex_cached", "extract_latex"):  # no verdict depends on the ones before it
        getattr(sys.modules["math_verify.parser"], cached).cache_clear()
    if not gold or not given:
        return {"equal": False, "parsed": False}
    options = {
        "float_rounding": job["rounding"],
        "strict": job["strict"],
        "allow_set_relation_comp": job["relations"],
        "timeout_seconds": None,
    }
    decided = same_numbers(gold[0], given[0]) if job.get("relative") else None
    return {"equal": bool(verify(gold, given, **options)) if decided is None else decided, "parsed": True}


def same_numbers(gold: Any, given: Any) -> bool | None:
    """Whether two numbers are equal, also sums, integrals and limits; to six significant digits where one is a decimal.

    None where one of them is no number.
    """
    import sympy

    if not all(isinstance(side, sympy.Expr) and not side.free_symbols for side in (gold, given)):
        return None
    if any(side.has(sympy.Sum, sympy.Product, sympy.Integral, sympy.Limit) for side in (gold, given)):
        gold, given = gold.doit(), given.doit()
    values = [complex(side.evalf(20)) for side in (gold, given)]
    size, apart = min(map(abs, values)), abs(values[0] - values[1])
    decimal = any(side.has(sympy.Float) for side in (gold, given))
    return bool(apart <= size * (1.5e-6 if decimal else 1e-12))


def _parse(parse: Any, config: Any, parts: list[str]) -> Any:
    if len(parts) > 6:  # math-verify joins six formulas at most
        parts = [", ".join(parts)]
    text = " and ".join(f"${part}$" for part in parts)
    return parse(text, config, fallback_mode="first_match", parsing_timeout=None)
