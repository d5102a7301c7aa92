"""Page styles: nothing is cut, letters are as high as promised or down to the floor, and looks that are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlrl.config import Settings
from vlrl.errors import ConfigError, DataError
from vlrl.registry import component_field
from vlrl.rendered_text.page import OverfullError
from vlrl.rendered_text.styles.code_style import lay_code
from vlrl.rendered_text.styles.plain_style import Plain
from vlrl.rendered_text.styles.screenshot_style import Chat
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.rendered_text.typesetting.fonts import FILES, FontFiles, font_file, installed_families

WORDS = "Quick brown foxes jump over 13 lazy dogs; how many legs is that (in all)? gjpqy |_ {x} "
MARKDOWN = """# A heading
- one **bold** item with many words that wrap around the edge of the page somewhere
  2. and `code` below it
| Day | Price |
|---|---|
| Monday | 12 |

```python
print("a long text that is wider than the page " * 3)
```
With $x^2$ and
$$\\frac{a}{b}$$"""
PAGES = {
    "document": WORDS * 4,
    "markdown": MARKDOWN,
    "math": "Let $f(x) = \\sqrt{x}$ be.\n$$\\sum_{k=0}^n k$$\n" + WORDS * 2,
    "json": 'Rows: [{"name": "Anna", "boxes": [1, 2.50, 3]}, {"name": "Bruno"}] and more ' + WORDS,
    "csv": "Sum these\na,b,c\n1,2,3\nten,eleven and many words,12\nplease " + WORDS,
    "chat": f"User: {WORDS}\nAssistant: {WORDS * 2}\nUser: ok",
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ink(image) -> np.ndarray:
    """Where the image differs from its lower left pixel, (H, W)."""
    pixels = np.asarray(image).astype(int)
    return np.abs(pixels - pixels[-1, 0]).max(axis=2) > 24


def assert_clear_margins(image, margin: int, top: int = 0) -> None:
    marked = ink(image)[top:]
    edge = margin - 3  # slanted letters may lean a pixel or two into the margin
    assert marked[edge:-edge, edge:-edge].any()
    assert marked.sum() == marked[edge:-edge, edge:-edge].sum()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", sorted(PAGES))
def test_no_ink_lies_in_the_margin(name, seed):
    style = styles.build(name)
    image = style.draw(PAGES[name], rng(seed))
    assert image.width == style.width
    assert_clear_margins(image, style.margin)


def test_the_page_in_a_browser_keeps_its_margins_below_the_bar():
    image = styles.build("page").draw(MARKDOWN, rng())
    assert_clear_margins(image, 24, top=48)
    with pytest.raises(DataError, match="no room for the address"):
        styles.build({"name": "page", "address": "example.org/" + "long" * 30}).draw("x", rng())


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(st.sampled_from('ab W.,\n|-#$*`1[]{}"\\^_:'), min_size=1, max_size=80),
    name=st.sampled_from(["markdown", "math", "json", "csv", "chat", "table", "code", "plain"]),
)
def test_any_text_is_whole_on_the_page_or_refused(text, name):
    style = styles.build({"name": name, "width": 160, "min_height": 40, "max_height": 400})
    try:
        image = style.draw(text, rng())
    except DataError:
        return
    if ink(image).any():
        assert_clear_margins(image, style.margin)


@pytest.mark.parametrize("name", sorted([*PAGES, "plain", "dark", "table", "code", "page"]))
def test_a_text_that_does_not_fit_is_made_smaller_down_to_the_floor_and_then_refused(name):
    text = PAGES.get(name, "a | b\n" + WORDS * 4)
    size = {"name": name, "capital_pixels": 16, **({"larger_by": 0} if name == "document" else {})}
    whole = max(styles.build(size).draw(text, rng()).height, 200)
    short = {**size, "min_height": 40, "max_height": round(whole * (0.6 if name == "document" else 0.8))}
    with pytest.raises(OverfullError, match="the page is at most"):
        styles.build(short).draw(text, rng())
    fitted = styles.build({**short, "smallest_capital_pixels": 9}).draw(text, rng())
    assert fitted.height <= short["max_height"]
    with pytest.raises(OverfullError, match="the page is at most"):
        styles.build({**short, "smallest_capital_pixels": 9}).draw("\n".join([text] * 9), rng())


def test_only_as_small_as_it_must_be():
    text = "HHHH " * 60
    style = Plain(max_height=200, capital_pixels=20, smallest_capital_pixels=7)
    heights = {p: Plain(capital_pixels=p).draw(text, rng()).height for p in range(7, 21)}
    largest = max(p for p, height in heights.items() if height <= 200)
    assert 7 < largest < 20
    expected = Plain(capital_pixels=largest).draw(text, rng())
    assert np.array_equal(np.asarray(style.draw(text, rng())), np.asarray(expected))


@pytest.mark.parametrize("pixels", [9, 14, 20])
@pytest.mark.parametrize("name", ["markdown", "math", "chat", "csv", "json"])
def test_capitals_are_as_high_as_promised(name, pixels):
    text = {"chat": "H", "csv": "H,H\nH,H", "json": '["H"]'}.get(name, "H")
    spec = {"name": name, "capital_pixels": pixels}
    if name == "json":
        block = lay_code('"H"', "json", "default", 400, pixels)
        top, bottom = block.font.getbbox("H")[1::2]
        assert pixels <= bottom - top <= pixels + 2
        return
    if name == "csv":
        spec["dark"] = False
    pixels_of = np.asarray(styles.build(spec).draw(text, rng()).convert("L")).astype(int)
    dark = pixels_of < 90  # letters are darker than rules and bubbles
    rows = np.flatnonzero(dark.any(axis=1))
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    assert all(pixels <= len(run) <= pixels + 2 for run in runs)


@pytest.mark.parametrize("name", sorted([*PAGES, "page"]))
def test_the_same_text_gives_the_same_pixels(name):
    text = PAGES.get(name, MARKDOWN)
    first, second = (np.asarray(styles.build(name).draw(text, rng())) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("name", sorted([*PAGES, "page"]))
def test_a_character_without_a_glyph_is_refused(name):
    text = {"json": '["中"]', "csv": "a,中\n1,2"}.get(name, "中")
    with pytest.raises(DataError, match="no glyph for '中'"):
        styles.build(name).draw(text, rng())


def test_columns_hold_the_lines_from_left_to_right():
    lines = [f"line{i}" for i in range(5)]
    image = Plain(width=448, columns=2).draw("\n".join(lines), rng())
    alone = [Plain(width=448).draw(line, rng()) for line in lines]
    marked = ink(image)
    assert marked[:, :224].any()
    left, right = marked[:, :224].sum(), marked[:, 224:].sum()
    assert left == sum(ink(page).sum() for page in alone[:3])
    assert right == sum(ink(page).sum() for page in alone[3:])


def test_documents_differ_in_looks_and_stay_within_their_sizes():
    style = styles.build({"name": "document", "capital_pixels": 10, "larger_by": 5, "two_columns_rate": 0})
    pages = [style.draw("H", rng(seed)) for seed in range(40)]
    heights = {int(np.flatnonzero(ink(page).any(axis=1)).size) for page in pages}
    assert len(heights) >= 5
    assert min(heights) >= 9  # anti-aliased edges of a light ink may fall below the threshold
    assert max(heights) <= 17
    dark = np.mean([np.asarray(page)[0, 0].mean() < 60 for page in pages])
    assert 0.05 < dark < 0.5


def test_a_code_page_numbers_its_lines_and_not_the_broken_ones():
    block = lay_code("a = 1\n" + "b" * 60 + "\nc", "python", "default", 300, 11, line_numbers=True)
    numbers = [(row, text) for row, column, text, _ in block.runs if column == 0]
    assert [text for _, text in numbers] == ["1", "2", "3"]
    assert numbers[1][0] == 1
    assert numbers[2][0] > 2


def test_code_is_drawn_in_full():
    text = 'def f(x):\n    return {"k": x ** 2}  # why\n'
    block = lay_code(text, "python", "default", 500, 11)
    grid = {(row, column + i): c for row, column, run, _ in block.runs for i, c in enumerate(run) if c != " "}
    expected = {
        (row, column): c for row, line in enumerate(text.split("\n")) for column, c in enumerate(line) if c != " "
    }
    assert grid == expected


def test_a_conversation_is_split_at_its_speakers():
    style = Chat(speakers=("Ann", "Bob"))
    assert style.messages("Ann: hi\nthere\nbob: Note: x\n") == [("Ann", "hi\nthere"), ("bob", "Note: x")]
    assert style.messages("Note: what?") == [("", "Note: what?")]
    assert style.messages("Read.\nAnn: hi") == [("", "Read."), ("Ann", "hi")]


def test_the_first_speaker_is_on_the_right():
    marked = ink(Chat().draw("User: a", rng()))
    assert not marked[:, :200].any()
    marked = ink(Chat().draw("Assistant: a", rng()))
    assert not marked[:, 248:].any()


def test_mixed_draws_every_style_and_can_be_written_back():
    mixed = styles.build({"name": "mixed", "of": ["plain", {"name": "dark", "capital_pixels": 9}]})
    dark = [np.asarray(mixed.draw("x", rng(seed))).mean() < 100 for seed in range(30)]
    assert 5 < sum(dark) < 25

    class Holder(Settings):
        style: component_field(styles) = "plain"  # type: ignore[valid-type]

    written = Holder(style=mixed).model_dump(mode="json")["style"]
    again = Holder.model_validate({"style": written}).style
    assert np.array_equal(np.asarray(again.draw("x", rng(1))), np.asarray(mixed.draw("x", rng(1))))


def test_a_font_that_is_missing_names_its_package(monkeypatch):
    monkeypatch.setitem(FILES, "hand-dkg", FontFiles("no/such.ttf", "no/such.ttf", "fonts-dkg-handwriting"))
    font_file.cache_clear()
    with pytest.raises(ConfigError, match="apt-get install fonts-dkg-handwriting"):
        styles.build("handwriting")
    assert "hand-dkg" not in installed_families()
    font_file.cache_clear()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"name": "plain", "capital_pixels": 4}, "too small to read"),
        ({"name": "plain", "smallest_capital_pixels": 13}, "not within 5 to 12"),
        ({"name": "chat", "min_height": 400, "max_height": 300}, "above max_height"),
        ({"name": "plain", "columns": 30}, "no room"),
        ({"name": "document", "dark_rate": 1.5}, "no share"),
        ({"name": "csv", "delimiter": "::"}, "one character"),
        ({"name": "chat", "speakers": []}, "nobody"),
        ({"name": "mixed", "of": []}, "no style"),
        ({"name": "mixed", "of": ["plane"]}, "did you mean 'plain'"),
    ],
)
def test_settings_that_can_not_be_are_refused(spec, message):
    with pytest.raises(ConfigError, match=message):
        styles.build(spec)


@pytest.fixture
def handwriting_font() -> str:
    """A handwriting family that is installed, or the reason for skipping the test; see scripts/test."""
    import os

    found = [family for family in installed_families() if family.startswith("hand-")]
    if not found:
        message = "no handwriting font is installed; scripts/test installs fonts-dkg-handwriting as root"
        pytest.fail(message) if os.environ.get("VLRL_REQUIRE_SUITES") else pytest.skip(message)
    return found[0]


def test_handwriting_stays_on_its_sheet_and_is_unsteady(handwriting_font):
    style = styles.build({"name": "handwriting", "family": handwriting_font, "sheet": "blank"})
    text = "Anna counts 13 apples; how many are left (in all)? " * 5
    first, second = style.draw(text, rng(1)), style.draw(text, rng(2))
    assert_clear_margins(first, style.margin)
    assert not np.array_equal(np.asarray(first), np.asarray(second))
    ruled = styles.build({"name": "handwriting", "family": handwriting_font}).draw("x", rng())
    assert (np.asarray(ruled)[:, 0] != np.asarray(ruled)[0, 0]).any()
