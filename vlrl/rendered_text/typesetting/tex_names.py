"""Which TeX names mathtext has under another name, drops, or gives arguments; tables, and delimiters that grow."""

from __future__ import annotations

# the same under the name that mathtext knows
ALIASES = {
    r"\le": r"\leq",
    r"\ge": r"\geq",
    r"\leqslant": r"\leq",
    r"\geqslant": r"\geq",
    r"\implies": r"\Longrightarrow",
    r"\impliedby": r"\Longleftarrow",
    r"\iff": r"\Longleftrightarrow",
    r"\land": r"\wedge",
    r"\lor": r"\vee",
    r"\lnot": r"\neg",
    r"\gets": r"\leftarrow",
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
    r"\lbrack": "[",
    r"\rbrack": "]",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\vert": "|",
    r"\lVert": r"\|",
    r"\rVert": r"\|",
    r"\Vert": r"\|",
    r"\square": "□",
    r"\Box": "□",
    r"\lozenge": "◊",
    r"\euro": "€",
    r"\pounds": "£",
    r"\coloneqq": ":=",
    r"\bmod": r"\ \mathrm{mod}\ ",
    r"\mod": r"\quad\mathrm{mod}\ ",
    r"\dotsc": r"\ldots",
    r"\dotsb": r"\cdots",
    r"\dotsm": r"\cdots",
    r"\dotsi": r"\cdots",
    r"\tfrac": r"\frac",
    r"\cfrac": r"\dfrac",
    r"\dbinom": r"\binom",
    r"\tbinom": r"\binom",
    r"\stackrel": r"\overset",
    r"\bm": r"\boldsymbol",
    r"\pmb": r"\boldsymbol",
    r"\textbf": r"\mathbf",
    r"\textit": r"\mathit",
    r"\emph": r"\mathit",
    r"\textrm": r"\mathrm",
    r"\mbox": r"\text",
    r"\textnormal": r"\text",
    r"\operatorname*": r"\operatorname",
    r"\&": "&",
    "~": r"\ ",
    "%": r"\%",
}
# what sets no ink of its own: sizes of delimiters, styles, line breaks that may be
DROPPED = frozenset(
    f"\\{size}{side}" for size in ("big", "Big", "bigg", "Bigg") for side in ("", "l", "r", "m")
) | frozenset(
    (
        r"\displaystyle",
        r"\textstyle",
        r"\scriptstyle",
        r"\limits",
        r"\nolimits",
        r"\nonumber",
        r"\notag",
        r"\allowbreak",
    )
)
ARGUMENTS = {
    **dict.fromkeys((r"\frac", r"\dfrac", r"\binom", r"\overset", r"\underset"), 2),
    **dict.fromkeys((r"\sqrt", r"\overline", r"\underline", r"\boldsymbol", r"\mathbf", r"\mathrm", r"\mathit"), 1),
    **dict.fromkeys((r"\mathbb", r"\mathcal", r"\mathfrak", r"\mathscr", r"\mathsf", r"\mathtt", r"\mathop"), 1),
    **dict.fromkeys((r"\hat", r"\bar", r"\vec", r"\tilde", r"\dot", r"\ddot", r"\widehat", r"\widetilde"), 1),
    **dict.fromkeys((r"\overrightarrow", r"\overleftarrow", r"\pmod", r"\boxed", r"\fbox", r"\mathring"), 1),
}
RAW = frozenset((r"\text", r"\operatorname", r"\hspace", r"\substack"))  # their argument is no formula, or mathtext's
PLAIN_ARGUMENT = frozenset((r"\mathop",))  # the argument alone
TABLES = {
    "matrix": ("", ""),
    "smallmatrix": ("", ""),
    "pmatrix": ("(", ")"),
    "bmatrix": ("[", "]"),
    "Bmatrix": (r"\{", r"\}"),
    "vmatrix": ("|", "|"),
    "Vmatrix": (r"\|", r"\|"),
    "cases": (r"\{", ""),
    "rcases": ("", r"\}"),
    "array": ("", ""),
    "aligned": ("", ""),
    "align": ("", ""),
    "align*": ("", ""),
    "alignedat": ("", ""),
    "split": ("", ""),
    "gathered": ("", ""),
    "gather": ("", ""),
    "gather*": ("", ""),
    "equation": ("", ""),
    "equation*": ("", ""),
}
ALIGNED = frozenset(("aligned", "align", "align*", "split"))  # columns in turn right and left
DELIMITERS = frozenset(("(", ")", "[", "]", "|", "/", r"\{", r"\}", r"\|", r"\langle", r"\rangle", ".")) | frozenset(
    (r"\lfloor", r"\rfloor", r"\lceil", r"\rceil", r"\lbrace", r"\rbrace", r"\lvert", r"\rvert", r"\lVert", r"\rVert")
)
