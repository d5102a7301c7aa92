r"""One grammar of the notations in which models write boxes and points.

    [x1, y1, x2, y2]   (x1, y1), (x2, y2)   [[x1, y1], [x2, y2]]   x1 y1 x2 y2   (x, y)   x = 3, y = 4
    {"bbox_2d": […], "label": …}   {"point_2d": […]}   {"x1": …, "y1": …, "x2": …, "y2": …}   Qwen, Gemini, tool calls
    <|object_ref_start|>cat<|object_ref_end|><|box_start|>(x1,y1),(x2,y2)<|box_end|>   Qwen2-VL, OS-Atlas
    <ref>cat</ref><box>[[x1, y1, x2, y2]]</box>   InternVL, Qwen-VL
    <phrase>cat</phrase><object><patch_index_0044><patch_index_0863></object>   Kosmos-2: a 32 × 32 grid
    <|ref|>cat<|/ref|><|det|>[[x1, y1, x2, y2]]<|/det|>   <|begin_of_box|>[…]<|end_of_box|>   DeepSeek-VL2, GLM-4.1V
    <p>cat</p> {<x1><y1><x2><y2>}   MiniGPT-v2      x_min = 1, y_min = 2, x_max = 3, y_max = 4      <click>x, y</click>
    Top-left: (x1, y1), bottom-right: (x2, y2)
    cat<loc_52><loc_332><loc_932><loc_774>   Florence-2: 1000 bins, x y x y
    <loc0123><loc0456><loc0789><loc1000> cat ;   PaliGemma: 1024 bins, y x y x
    <point x="10.5" y="20" alt="cat">cat</point>   <points x1="…" y1="…" x2="…" y2="…">   Molmo
    click(start_box='(x,y)')   click(point='<point>x y</point>')   UI-TARS
    pyautogui.click(x=3, y=4)   CLICK <point>[[x, y]]</point>   GUI agents, OS-Atlas

A tokenizer may have dropped the special tokens: what is between them is read all the same. Location tokens say their
own scale; for every other notation the recipe does (`values/image_frame.py`). Sources: the models' cards and cookbooks,
and transformers' `processing_kosmos2.py` and `processing_florence2.py` for the bins. Linear in the length of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from vlrl.verify.reading.hedging import doubts

Kind = Literal["box", "point"]

MAX_REGIONS = 300  # ours: who lists more is covering the image
KOSMOS_GRID = 32
_N = r"[-+]?(?:[0-9]{1,7}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})"
_SEP = r"(?:\s{0,3}[,;]\s{0,3}|\s{1,3})"
_BARE = rf"{_N}(?:{_SEP}{_N}){{1,3}}"
_STRING = r'"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\''
_KEYWORDS = (
    rf"\bx\s?[=:]\s?({_N})\s?[,;]\s?y\s?[=:]\s?({_N})"
    rf"(?:\s?,\s?(?:button|clicks|interval|duration)\s?=\s?[\w.'\"]{{1,12}})*"
)
_SIDE = r"(?:[xy]_?(?:min|max|[12])|left|top|right|bottom)"
_SIDES = rf"\b(?i:{_SIDE})\s?[=:]\s?{_N}(?:\s?[,;]?\s{{0,2}}(?i:{_SIDE})\s?[=:]\s?{_N}){{3}}"
_IS_AT = r"(?:\s(?:corner|point))?(?:\s(?:is\sat|is|at))?\s?[:=]?"
_TOP_LEFT = rf"(?i:(?:the\s)?(?:top|upper)[-\s]?left{_IS_AT}|左上角?\s?[:=]?)"
_BOTTOM_RIGHT = rf"(?i:(?:the\s)?(?:bottom|lower)[-\s]?right{_IS_AT}|右下角?\s?[:=]?)"
_TOKEN = re.compile(
    r"(?=[<{\[(xylrtbXYLRTB])(?:"
    r"(?P<label><\|(?:object_ref_start|ref)\|>(?P<qwen>[^<>]{0,300})<\|(?:object_ref_end|/ref)\|>"
    r"|<(?P<tag>ref|phrase|p)>(?P<named>[^<>]{0,300})</(?P=tag)>)"
    r"|(?P<minigpt>\{?\s?(?:<\s?[0-9]{1,3}\s?>\s?){4}\}?)"
    rf"|(?P<sides>{_SIDES})"
    rf"|(?P<object>\{{(?:[^{{}}\"']|{_STRING})*\}})"
    r"|(?P<florence>(?:<loc_[0-9]{1,4}>\s?)+)"
    r"|(?P<paligemma>(?:<loc[0-9]{4}>\s?)+(?:<seg[0-9]{3}>\s?)*(?P<after>[^\W\d_][^<>;.,:\n\[\](){}\"]{0,100})?)"
    r"|(?P<kosmos>(?:<patch_index_[0-9]{4}>\s?)+)"
    r"|(?P<xml><points?\s(?P<attributes>[^<>]{1,4000}?)/?>(?:(?P<text>[^<>]{0,300})</points?>)?)"
    rf"|(?P<tagged><(?P<kind>b?box|point|click|tap|coordinates?)>\s{{0,3}}(?P<bare>{_BARE})\s{{0,3}}</(?P=kind)>)"
    rf"|(?P<keywords>{_KEYWORDS})"
    rf"|(?P<group>[\[(]\s{{0,3}}(?P<numbers>{_BARE})\s{{0,3}}[\])])"
    r")"
)
_ONLY_NUMBERS = re.compile(rf"\s*(?:[\[(]\s{{0,3}}(?:{_BARE})\s{{0,3}}[\])]|{_BARE})\s*\.?\s*")
_NUMBER = re.compile(_N)
_LOC = re.compile(r"<(?:loc_?|patch_index_)([0-9]{1,4})>")
_ATTRIBUTE = re.compile(r"(\w{1,12})\s?=\s?[\"']([^\"'<>]{0,300})[\"']\s{0,3}")
_PLACE = re.compile(r"([xy])([0-9]{0,3})")
_PAIR = re.compile(
    rf"\s*({_STRING})\s*:\s*({_STRING}|[\[\]\s,0-9.+-]+|\[(?:\s*(?:{_STRING})\s*,?)*\s*\]|true|false|null|True|False|None)"
    r"\s*(?:,|$)"
)
_JOINS_A_BOX = re.compile(rf"\s{{0,3}}(?:,|;|-|–|—|to)?\s{{0,3}}(?:and\s{{0,3}})?(?:{_BOTTOM_RIGHT}\s{{0,3}})?")
_ACTION_BOX = re.compile(r"(?:start_box|end_box|point|bbox)\s?=\s?['\"]?(?:<\|box_start\|>)?\s?$")
_ACTIONS = (
    "(?:left_|right_|double_|middle_)?click|(?:left|right|double|middle)Click|left_double|right_single|long_?press|tap|"
    "move_?to|mouse_move|hover|touch|point"
)
_MARKUP = (
    r"```(?:json|python|xml)?|</?(?:b?box|points?|clicks?|tap|coordinates?|delim|ref|object|grounding|quad|tool_call|s)>"
    r"|<\|/?(?:box|object_ref|quad|point)_(?:start|end)\|>|<\|/?(?:det|grounding)\|>|<\|(?:begin|end)_of_box\|>|</?delimiter_of_multi_objects/?>"
    r"|\"(?:boxes|bboxes|objects|points|detections|answer|arguments)\"\s{0,3}:"
    r"|\"name\"\s{0,3}:\s{0,3}\"\w{1,40}\"|Action:"
    rf"|(?:{_TOP_LEFT}|{_BOTTOM_RIGHT})(?=[\s,;]{{0,3}}[(\[]|[\s,;.]*$)|(?<![\w.])(?:pyautogui\.|mobile\.|computer\.)?(?i:{_ACTIONS})(?!\w)"
    r"|\b(?:start_box|end_box|start_point|end_point|point|coordinate|position|bbox)\s?=(?!=)"
)
_GLUE = re.compile(rf"[\s,;.\[\](){{}}'\"]|{_MARKUP}")
_NO_WORDS = re.compile(rf"[\[\](){{}}`\"]|{_MARKUP}")
_NAMING = re.compile(r"[^\W\d_](?:[^<>()\[\]{}\"\n,;:]{0,100}[^<>()\[\]{}\"\n,;:\s])?")
_STRIPPED_LABEL = re.compile(
    _NAMING.pattern + r"(?=\(#\))"
)  # "the cat(1,2),(3,4)" was `…<|object_ref_end|><|box_start|>(…`
CHANGED_BEFORE = re.compile(r"(?:[~!≠¬∼]|(?<![-=])[<>]|\b(?:un|non)-?)$", re.IGNORECASE)
_NEGATED = re.compile(r"\b(?:un|non)-?\(?#", re.IGNORECASE)
_TOO_DEEP = re.compile(r"\[\s*\[\s*#\s*\]")

_BOX_KEYS = ("bbox_2d", "bbox", "box", "box_2d", "bounding_box", "bboxes", "boxes")
_POINT_KEYS = ("point_2d", "point", "points", "coordinate", "position")
_EITHER_KEYS = ("coordinates", "answer", "objects", "location")
_OF_A_REGION = re.compile(rf"[\"'](?:{'|'.join((*_BOX_KEYS, *_POINT_KEYS, 'coordinates'))})[\"']")
_NAMED_BOXES = (
    ("x1", "y1", "x2", "y2"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("left", "top", "right", "bottom"),
)


@dataclass(frozen=True)
class Region:
    """A box (four numbers) or a point (two) as it was written.

    order   of the numbers where the notation says it ("xyxy", "yxyx", "xywh", "xy"); "" where the recipe does
    unit    whether the numbers are fractions of the image's sides, whatever the recipe says
    start, end  where it stands in the text
    """

    numbers: tuple[float, ...]
    order: str = ""
    unit: bool = False
    label: str = ""
    confidence: float = 1.0
    start: int = 0
    end: int = 0

    @property
    def kind(self) -> Kind:
        """What four or two numbers are."""
        return "box" if len(self.numbers) == 4 else "point"


@dataclass(frozen=True)
class Regions:
    """Every region of one kind in a text, in order.

    whole     whether the text is these regions and nothing else
    malformed whether something of this notation can't be read, so that nothing is sure
    others    regions of the other kind
    """

    found: tuple[Region, ...]
    whole: bool
    malformed: bool = False
    others: int = 0


def read_regions(text: str, kind: Kind) -> Regions:
    """The boxes or the points of a text, in any of the notations."""
    if _ONLY_NUMBERS.fullmatch(text):
        numbers = _numbers(text)
        right = len(numbers) == (4 if kind == "box" else 2)
        return Regions((Region(numbers, end=len(text)),) if right else (), right, not right)
    found: list[Region] = []
    outside: list[str] = []  # the text with "#" for every region
    label, position, malformed = "", 0, False
    for match in _TOKEN.finditer(text):
        if len(found) > 2 * MAX_REGIONS:
            return Regions((), False, True)
        gap, position = text[position : match.start()], match.end()
        if match["label"] is not None:
            label = (match["qwen"] or match["named"] or "").strip()
            outside += gap, " "
            continue
        read = _read(match, text, kind)
        malformed = malformed or read is None
        if match["florence"] is not None and _NAMING.fullmatch(gap.strip()) and not doubts(gap):
            label, gap = gap.strip(), " "
        outside += gap, "?" if not read else "(#)" if match[0][0] == "(" else "#"
        if read and match["object"] is not None and any(region.kind == kind for region in read):
            read = [region for region in read if region.kind == kind]  # an object may have a box and its point
        found += [
            replace(region, label=region.label or label, start=match.start(), end=match.end()) for region in read or ()
        ]
    outside.append(text[position:])
    if kind == "box":
        found = _joined(found, text)
    wanted = tuple(region for region in found if region.kind == kind)
    others = len(found) - len(wanted)
    around = "".join(outside)
    malformed = malformed or _TOO_DEEP.search(around) is not None
    whole = not malformed and not others and _is_notation(around, bool(wanted))
    return Regions(wanted, whole, malformed, others)


def without_notation(text: str) -> str:
    """The words of a text: what isn't brackets, tags, keys and names of actions."""
    return _NO_WORDS.sub(" ", text)


def _read(match: re.Match[str], text: str, kind: Kind) -> list[Region] | None:
    """The regions of one token; None where it is one of the notations and can't be read."""
    if match["object"] is not None:
        read = _of_object(match["object"][1:-1], kind)
        return [] if read is None and not _OF_A_REGION.search(match["object"]) else read
    if match["group"] is not None:
        numbers = _numbers(match["numbers"])
        if (
            len(numbers) == 4
            and kind == "point"
            and _ACTION_BOX.search(text[max(0, match.start() - 40) : match.start()])
        ):
            return [Region(((numbers[0] + numbers[2]) / 2, (numbers[1] + numbers[3]) / 2))]  # the middle is clicked
        return [Region(numbers)] if len(numbers) in (2, 4) else []
    if match["keywords"] is not None:
        found = _NUMBER.findall(match["keywords"])
        return [Region((float(found[0]), float(found[1])), "xy")]
    if match["sides"] is not None:
        sides = {
            key.replace("_", "").casefold(): float(n)
            for key, n in re.findall(rf"({_SIDE})\s?[=:]\s?({_N})", match["sides"], re.IGNORECASE)
        }
        corners = [tuple(sides[k] for k in names) for names in _NAMED_BOXES if set(names) == set(sides)]
        return [Region(corners[0], "xyxy")] if corners else None
    if match["minigpt"] is not None:
        return [Region(_numbers(match["minigpt"]))]
    if match["tagged"] is not None:
        numbers = _numbers(match["bare"])
        return [Region(numbers)] if len(numbers) in (2, 4) else None
    if match["xml"] is not None:
        return _of_attributes(match["attributes"], (match["text"] or "").strip())
    bins = [int(n) for n in _LOC.findall(match[0])]
    if match["kosmos"] is not None:
        pairs = list(zip(bins[::2], bins[1::2], strict=False))
        return [_of_patches(*pair) for pair in pairs] if len(bins) % 2 == 0 else None
    size = 4 if len(bins) % 4 == 0 else 2
    if len(bins) % size or (size == 2 and len(bins) != 2):
        return None
    if match["florence"] is not None:
        label = ""
        fractions, order = [(n + 0.5) / 1000 for n in bins], "xyxy"
    else:
        label = (match["after"] or "").strip()
        fractions, order = [n / 1024 for n in bins], "yxyx"
    return [Region(tuple(fractions[i : i + size]), order[:size], True, label) for i in range(0, len(fractions), size)]


def _of_object(body: str, kind: Kind) -> list[Region] | None:
    """The regions of `{"key": value, …}`; [] where no key names one, None where it can't be read."""
    values: dict[str, str] = {}
    position = 0
    body = body.rstrip()
    while position < len(body):
        pair = _PAIR.match(body, position)
        if pair is None or pair[1][1:-1] in values:
            return None  # not JSON, or a key that is named twice
        values[pair[1][1:-1]] = pair[2].strip(" \n\t,")
        position = pair.end()
    score = values.get("score", values.get("confidence", "1"))
    if not _NUMBER.fullmatch(score):
        return None
    label = next(
        (values[k][1:-1] for k in ("label", "text_content", "name") if values.get(k, "")[:1] in ("'", '"')), ""
    )
    found: list[Region] = []
    for keys in (_BOX_KEYS, _POINT_KEYS, _EITHER_KEYS):
        named = [key for key in keys if key in values]
        if len(named) > 1:
            return None
        for key in named:
            read = read_regions(
                values[key], "point" if keys == _POINT_KEYS else kind if keys == _EITHER_KEYS else "box"
            )
            if (not read.found and values[key].strip("[] \n")) or not read.whole:
                return None
            found += read.found
    numbers = {key: float(value) for key, value in values.items() if _NUMBER.fullmatch(value)}
    for names in (*_NAMED_BOXES, ("x", "y")):
        if all(name in numbers for name in names):
            sides = [numbers[n] for pair in (("width", "height"), ("w", "h")) for n in pair if n in numbers]
            corners = tuple(numbers[name] for name in names)
            if len(names) == 2 and len(sides) == 2:
                found.append(Region((*corners, *sides), "xywh"))
            else:
                found.append(Region(corners, "xyxy"[: len(names)]))
    return [replace(region, label=region.label or label, confidence=float(score)) for region in found]


def _of_attributes(written: str, text: str) -> list[Region] | None:
    """The points of `<point x="…" y="…" alt="…">` and `<points x1="…" y1="…" x2="…" …>`."""
    values = dict(pair for pair in _ATTRIBUTE.findall(written))
    if len(values) != len(_ATTRIBUTE.findall(written)) or _ATTRIBUTE.sub("", written).strip():
        return None
    places: dict[str, dict[str, float]] = {}
    for name, value in values.items():
        place = _PLACE.fullmatch(name)
        if place is None:
            continue
        if not _NUMBER.fullmatch(value):
            return None
        places.setdefault(place[2], {})[place[1]] = float(value)
    if not places or any(set(place) != {"x", "y"} for place in places.values()):
        return None
    label = text or values.get("alt", "")
    return [Region((place["x"], place["y"]), "xy", label=label) for place in places.values()]


def _of_patches(first: int, last: int) -> Region:
    """The box between two cells of Kosmos-2's grid: from middle to middle, a whole cell where they share a side."""
    (top, left), (bottom, right) = divmod(first, KOSMOS_GRID), divmod(last, KOSMOS_GRID)
    inset = 0.0 if left == right or top == bottom else 0.5
    corners = (left + inset, top + inset, right + 1 - inset, bottom + 1 - inset)
    return Region(tuple(c / KOSMOS_GRID for c in corners), "xyxy", True)


def _joined(found: list[Region], text: str) -> list[Region]:
    """The same with every two pairs that stand together, `(x1, y1), (x2, y2)`, as one box."""
    joined: list[Region] = []
    for region in found:
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.kind == region.kind == "point"
            and not (last.order or region.order)
            and _JOINS_A_BOX.fullmatch(text, last.end, region.start)
        ):
            joined[-1] = replace(last, numbers=(*last.numbers, *region.numbers), end=region.end)
        else:
            joined.append(region)
    return joined


def _is_notation(outside: str, any_found: bool) -> bool:
    """Whether what stands around the regions belongs to them: brackets in pairs, tags, keys, names of actions."""
    if any(outside.count(a) != outside.count(b) for a, b in ("[]", "()", "{}")):
        return False
    if not any_found:
        return outside.strip() == "[]"
    if _NEGATED.search(outside):
        return False
    words = _GLUE.sub("", _STRIPPED_LABEL.sub(" ", outside))
    return not words.strip("#") and not doubts(outside)


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(n) for n in _NUMBER.findall(text))
