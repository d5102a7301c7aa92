"""Scripts of the world: shaped, laid out and broken as they are written, or refused by name; never boxes or gaps."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageDraw, ImageFont, features

from vlrl.errors import ConfigError, DataError
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.rendered_text.typesetting.fonts import font_file, known_characters
from vlrl.rendered_text.typesetting.inline import in_visual_order
from vlrl.rendered_text.typesetting.line_breaking import pieces_of, wrap
from vlrl.rendered_text.typesetting.scripts import INVISIBLE, clusters, is_right_to_left, needs_shaping
from vlrl.rendered_text.typesetting.typeface import check_characters, typeface
from vlrl.rendered_text.undrawable import OverfullError, UndrawableError

ARABIC, HEBREW = "كم ثمن التفاحة", "מה השעה עכשיו"
HAN = "小明有三个苹果，他又买了五个苹果。"
RANGES = [  # of code points, over many scripts and kinds of signs
    (0x20, 0x7E),
    (0xA0, 0x24F),
    (0x300, 0x36F),
    (0x370, 0x52F),
    (0x590, 0x5F4),
    (0x600, 0x6FF),
    (0x900, 0x97F),
    (0xE01, 0xE5B),
    (0x1100, 0x11FF),
    (0x1E00, 0x1FFF),
    (0x2000, 0x206F),
    (0x20A0, 0x2BFF),
    (0x3000, 0x30FF),
    (0x4E00, 0x4FFF),
    (0xAC00, 0xADFF),
    (0xD7F0, 0xE010),
    (0xFB00, 0xFDFF),
    (0xFE00, 0xFEFF),
    (0x1D400, 0x1D7FF),
    (0x1F300, 0x1F6FF),
    (0x0, 0x1F),
]
raqm = pytest.mark.skipif(not features.check("raqm"), reason="this Pillow has no raqm")


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def ink(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image.convert("L")).astype(int)
    return np.abs(pixels - pixels[0, 0]) > 60


@pytest.fixture(scope="module")
def han_font(tmp_path_factory) -> str:
    """A font with a full square for every character of HAN, and a smaller one for a capital H."""
    names = {ord(c): f"u{ord(c):X}" for c in sorted(set(HAN) | {"H"})}
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    glyphs = {}
    for name in [".notdef", *names.values()]:
        pen = TTGlyphPen(None)
        high = 730 if name == "u48" else 850
        pen.moveTo((50, -50 if high > 800 else 0))
        for x, y in ((50, high), (900, high), (900, -50 if high > 800 else 0)):
            pen.lineTo((x, y))
        pen.closePath()
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 50)))
    builder.setupHorizontalHeader(ascent=1100, descent=-300)
    builder.setupOS2()
    builder.setupPost()
    builder.setupNameTable({"familyName": "Han", "styleName": "Regular"})
    path = tmp_path_factory.mktemp("fonts") / "han.ttf"
    builder.save(str(path))
    return str(path)


def test_every_character_of_a_text_has_a_glyph_in_the_font_that_sets_it_or_the_text_is_refused(han_font):
    draw = np.random.default_rng(1)
    drawn = refused = 0
    for _ in range(1200):
        low, high = RANGES[int(draw.integers(len(RANGES)))]
        plain = [chr(c) for c in draw.integers(0x20, 0x7F, size=3)]
        special = [chr(c) for c in draw.integers(low, high + 1, size=int(draw.integers(1, 4)))]
        text = "".join(draw.permutation(plain + special))
        names = ("stix", han_font, "sans") if draw.random() < 0.5 else ("sans",)
        try:
            face = typeface(text, names[0], 12, bool(draw.integers(2)), fallbacks=names[1:])
        except UndrawableError:
            refused += 1
            continue
        drawn += 1
        known = {font_file(name, bold): known_characters(name, bold) for name in names for bold in (False, True)}
        seen = ""
        for font, _, piece in face.runs(text.expandtabs(4)):
            assert all(ord(c) in known[font.path] for c in piece if c not in INVISIBLE and c not in "\n\t"), repr(text)
            seen += piece
        kept = [c for c in text if not c.isspace() and c not in INVISIBLE]
        assert kept == [c for c in seen if not c.isspace() and c not in INVISIBLE], "a character was dropped"
    assert drawn > 200
    assert refused > 200


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("two 🍎 apples", "U+1F34E RED APPLE"),
        ("三", "U+4E09"),
        ("a\x07b", "U+0007"),
        ("a\x1b[31mb", "U+001B"),
        ("a\x7fb", "U+007F"),
        ("café\x0c", "U+000C"),
        ("x \ud800 y", "U+D800"),
        ("नमस्ते", "DEVANAGARI LETTER"),
        ("สวัสดี", "THAI CHARACTER"),
        ("a\ue123b", "U+E123"),
    ],
)
@pytest.mark.parametrize("style", ["plain", "markdown", "chat", "table", "code", "cells", "document", "page"])
def test_what_can_not_be_drawn_is_refused_by_name_in_every_style(style, text, named):
    with pytest.raises(UndrawableError) as caught:
        styles.build({"name": "cells", "size": 320} if style == "cells" else style).draw(text, rng())
    assert isinstance(caught.value, DataError)
    assert named in str(caught.value) or "one character a cell" in str(caught.value)
    assert caught.value.remedy


def test_what_a_bold_cut_lacks_is_set_in_the_plain_one():
    lacking = sorted(known_characters("stix") - known_characters("stix", True))
    text = next(chr(c) for c in lacking if c > 0x2200 and not needs_shaping(chr(c)))
    (font, _, _), *_ = typeface(text, "stix", 12, bold=True).runs(text)
    assert font.path == font_file("stix")


def test_the_remedy_names_a_family_that_has_the_script():
    for text, family in ((HAN, "noto-cjk"), ("नम", "noto-devanagari"), ("🍎", "symbola")):
        with pytest.raises(UndrawableError, match=family):
            check_characters(text, ("sans",))


def test_a_fallback_draws_what_the_family_lacks(han_font):
    for name in ("plain", "markdown", "chat", "table", "code", "handwriting"):
        family = {} if name in ("code",) else {"family": "serif"}
        style = styles.build({"name": name, "fallbacks": [han_font], **family})
        with_han, without = style.draw(f"ab {HAN}", rng()), style.draw("ab", rng())
        assert ink(with_han).sum() > ink(without).sum() + 2000, name


def test_a_fallback_that_is_not_there_is_refused_before_anything_is_drawn(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        styles.build({"name": "plain", "fallbacks": [str(tmp_path / "none.ttf")]})
    with pytest.raises(ConfigError, match=r"(?s)no known family.*noto-cjk"):
        styles.build({"name": "plain", "fallbacks": ["noto-cj"]})
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(ConfigError, match="can't be read"):
        styles.build({"name": "plain", "fallbacks": [str(tmp_path / "broken.ttf")]})


@raqm
@pytest.mark.parametrize("text", [ARABIC, HEBREW, "مرحبا"])
def test_arabic_and_hebrew_are_drawn_as_harfbuzz_shapes_them_at_the_right_margin(text):
    page = styles.build({"name": "plain", "capital_pixels": 20}).draw(text, rng())
    font = ImageFont.truetype(font_file("sans"), 200, layout_engine=ImageFont.Layout.RAQM)
    size = typeface("H", "sans", 20).fonts[0].size
    font = font.font_variant(size=size)
    line = Image.new("L", (448, 80), 0)
    ImageDraw.Draw(line).text((10, 10), text, fill=255, font=font, direction="rtl")
    box, rows = line.getbbox(), ink(page)
    shown = np.asarray(page.convert("L"))
    y, x = np.flatnonzero(rows.any(axis=1)), np.flatnonzero(rows.any(axis=0))
    assert 448 - 16 - 3 <= x[-1] <= 448 - 16, "the line ends at the right margin"
    expected = 255 - np.asarray(line)[box[1] : box[3], box[0] : box[2]].astype(int)
    found = shown[y[0] : y[0] + expected.shape[0], x[-1] + 1 - expected.shape[1] : x[-1] + 1].astype(int)
    assert expected.shape == found.shape
    assert np.abs(expected - found).mean() < 12


@raqm
def test_a_wrapped_paragraph_from_right_to_left_stays_at_the_right_margin_although_a_line_begins_with_latin():
    text = f"{ARABIC} {ARABIC} Python {ARABIC} Java"
    for line in wrap(text, 200, typeface(text, "sans", 12).getlength):
        assert line.rtl
    assert is_right_to_left(text)
    assert not is_right_to_left(f"Python {ARABIC}")


@pytest.mark.parametrize(
    ("words", "rtl", "seen"),
    [
        ("a b c", False, "a b c"),
        ("a א ב c", False, "a ב א c"),
        ("א ב a b ג", True, "ג a b ב א"),
        ("א 5 7 ב", True, "ב 5 7 א"),
        ("a א", False, "a א"),
    ],
)
def test_words_stand_in_the_order_in_which_they_are_seen(words, rtl, seen):
    pieces = pieces_of(words)
    assert "".join(in_visual_order(pieces, rtl, str)) == seen


def test_without_raqm_scripts_that_need_it_are_refused_by_name(monkeypatch):
    monkeypatch.setattr("vlrl.rendered_text.typesetting.typeface.features.check", lambda name: False)
    for text, script in ((ARABIC, "Arabic"), (HEBREW, "Hebrew"), ("x\u0304", "combining marks")):
        with pytest.raises(UndrawableError, match=f"{script} must be shaped.*raqm"):
            styles.build("plain").draw(text, rng())
    styles.build("plain").draw("naïve Straße Ω ∑ ж", rng())


@raqm
def test_marks_stand_on_their_letters():
    composed = ink(styles.build("plain").draw("é", rng()))
    apart = ink(styles.build("plain").draw("e\u0301", rng()))
    assert composed.sum() == pytest.approx(apart.sum(), rel=0.1)


@raqm
def test_marks_that_are_piled_up_into_other_lines_are_refused():
    styles.build("plain").draw("e\u0323\u0302", rng())
    with pytest.raises(UndrawableError, match=r"20 marks are piled up on 'e'"):
        styles.build("plain").draw("e" + "\u0301" * 20, rng())


def test_letters_are_never_parted_from_their_marks():
    text = "e\u0301" * 40
    lines = wrap(text, 90, typeface(text, "sans", 12).getlength)
    assert len(lines) > 2
    assert "".join(lines) == text
    assert all(not unicodedata.combining(line[0]) for line in lines)
    assert clusters("e\u0301x👍🏽👨\u200d👩🇩🇪क्ष") == ["e\u0301", "x", "👍🏽", "👨\u200d👩", "🇩🇪", "क्ष"]


def test_lines_of_chinese_break_between_characters_but_not_before_a_full_stop(han_font):
    text = HAN * 4
    face = typeface(text, "sans", 12, fallbacks=[han_font])
    for width in range(80, 200, 7):
        lines = wrap(text, width, face.getlength)
        assert "".join(lines) == text
        assert all(line[0] not in "，。" for line in lines[1:])
        assert all(face.getlength(line) <= width for line in lines)
    mixed = wrap(f"word {HAN}", 100, face.getlength)
    assert len(mixed[0]) > len("word ")


def test_spaces_that_do_not_break_hold_words_together_and_zero_width_ones_part_them():
    face = typeface("a\u00a0b\u200bc", "sans", 12)
    assert wrap("aaaa 5\u00a0km", face.getlength("aaaa 5 k"), face.getlength) == ["aaaa", "5\u00a0km"]
    assert wrap("aaaa\u200bbbbb", face.getlength("aaaab"), face.getlength) == ["aaaa\u200b", "bbbb"]
    assert face.getlength("a\u200bb\u00ad") == face.getlength("ab")


@pytest.mark.parametrize("space", ["\u2005", "\u2009", "\u202f", "\u3000", "\u00a0"])
@pytest.mark.parametrize("family", ["sans", "stix", "mono", "serif"])
def test_a_space_leaves_no_ink(space, family):
    style = styles.build({"name": "plain", "family": family})
    marked = style.draw(f"ab{space}cd", rng())
    assert ink(marked).sum() == pytest.approx(ink(style.draw("ab cd", rng())).sum(), rel=0.08)


def test_every_kind_of_line_break_is_one():
    style = styles.build("plain")
    expected = style.draw("a\nb", rng())
    for text in ("a\r\nb", "a\rb", "a\u2028b", "a\x85b"):
        assert style.draw(text, rng()) == expected


def test_what_must_be_shaped_is_known_by_name():
    assert needs_shaping("plain café Ω ж 漢字 ∑ □") is None
    assert needs_shaping(ARABIC) == "Arabic"
    assert needs_shaping("नमस्ते") == "Devanagari"
    assert needs_shaping("ไทย") == "Thai"
    assert needs_shaping("x\u0304") == "combining marks"


@raqm
def test_all_ink_of_mixed_scripts_lies_inside_the_margins(han_font):
    texts = [f"{ARABIC}\n{HAN}\n{HEBREW}", f"word {HAN} word", ARABIC * 9]
    for name in ("plain", "markdown", "chat", "table"):
        for text in texts:
            page = ink(styles.build({"name": name, "width": 300, "fallbacks": [han_font]}).draw(text, rng()))
            assert not page[:, :8].any() or name == "chat"
            assert not page[:, -12:].any() or name == "chat"


def test_a_word_wider_than_a_line_is_broken_and_a_character_wider_than_it_refused(han_font):
    face = typeface(HAN, "sans", 12, fallbacks=[han_font])
    with pytest.raises(OverfullError, match="wider than a line"):
        wrap(HAN, 4, face.getlength)
