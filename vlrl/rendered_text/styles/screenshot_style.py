"""The styles `chat` and `page`: a text as a screenshot of a conversation or of a page in a browser."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from vlrl.errors import ConfigError
from vlrl.rendered_text.page import Colour, Lines, Page, draw_stack, new_page, stack_height
from vlrl.rendered_text.styles.markdown_style import GAP, Markdown
from vlrl.rendered_text.styles.style_registry import styles
from vlrl.rendered_text.styles.table_style import line_step
from vlrl.rendered_text.typesetting.fonts import Family, font_file
from vlrl.rendered_text.typesetting.line_breaking import wrap
from vlrl.rendered_text.typesetting.typeface import Typeface, typeface
from vlrl.rendered_text.undrawable import OverfullError

PADDING = 10  # pixels between a bubble's edge and its text


@dataclass(frozen=True)
class Bubble:
    """One message: the name above it, the text on a rounded ground."""

    name: Lines | None
    text: Lines
    own: bool  # on the right, in the colour of one's own messages
    width: int
    ground: Colour

    @property
    def height(self) -> int:
        """Pixels, the name included."""
        return (self.name.height if self.name else 0) + self.text.height + 2 * PADDING


@styles.register("chat")
@dataclass(frozen=True)
class Chat(Page):
    """A conversation in bubbles. A line `Name: …` with one of `speakers` begins a message, the first speaker's stand on
    the right; a text without speakers is one message of theirs."""

    family: Family = "sans"
    dark: bool = False
    speakers: tuple[str, ...] = ("User", "Assistant", "System")
    bubble_rate: float = 0.86  # widest bubble, as a share of the room between the margins

    def __post_init__(self) -> None:
        super().__post_init__()
        font_file(self.family)
        if not self.speakers:
            raise ConfigError("style 'chat', speakers", "names nobody", "name at least one")
        if not 0.3 <= self.bubble_rate <= 1:
            raise ConfigError("style 'chat', bubble_rate", f"is {self.bubble_rate}", "0.3 to 1")

    def draw_at(self, text: str, rng: np.random.Generator, capital_pixels: int) -> Pillow.Image:
        """The conversation on a screen."""
        font, bold = (typeface(text, self.family, capital_pixels, b, self.fallbacks) for b in (False, True))
        bubbles = [self._bubble(speaker, message, font, bold) for speaker, message in self.messages(text)]
        gap = 12
        needed = 2 * self.margin + sum(b.height for b in bubbles) + gap * (len(bubbles) - 1)
        paper: Colour = (18, 20, 26) if self.dark else (238, 241, 246)
        page = new_page(self.width, needed, self.min_height, self.max_height, paper)
        pen, y = ImageDraw.Draw(page), self.margin
        for bubble in bubbles:
            x = self.width - self.margin - bubble.width if bubble.own else self.margin
            if bubble.name:
                bubble.name.draw(page, x, y)
                y += bubble.name.height
            height = bubble.text.height + 2 * PADDING
            pen.rounded_rectangle((x, y, x + bubble.width - 1, y + height - 1), radius=9, fill=bubble.ground)
            bubble.text.draw(page, x + PADDING, y + PADDING)
            y += height + gap
        return page

    def messages(self, text: str) -> list[tuple[str, str]]:
        """(speaker or nothing, message) in order."""
        names = "|".join(re.escape(name) for name in self.speakers)
        pieces = re.split(rf"^[ \t]*({names}):[ \t]*", text, flags=re.MULTILINE | re.IGNORECASE)
        spoken = list(zip(pieces[1::2], pieces[2::2], strict=True))
        before = [("", pieces[0])] if pieces[0].strip() or not spoken else []
        return [(speaker, message.strip("\n").rstrip()) for speaker, message in [*before, *spoken]]

    def _bubble(self, speaker: str, message: str, font: Typeface, bold: Typeface) -> Bubble:
        own = speaker.lower() in ("", self.speakers[0].lower())
        room = int(self.room * self.bubble_rate) - 2 * PADDING
        lines = wrap(message, room, font.getlength)
        name_ink: Colour = (190, 195, 205) if self.dark else (70, 78, 92)
        name = Lines([speaker], bold, line_step(bold), name_ink, room) if speaker else None
        widest = max(
            [font.getlength(line, line.rtl) for line in lines]
            + ([bold.getlength(speaker) - 2 * PADDING] if name else [])
        )
        grounds: tuple[Colour, Colour] = (
            ((20, 70, 140), (44, 48, 58)) if self.dark else ((205, 228, 255), (255, 255, 255))
        )
        ink: Colour = (240, 240, 240) if self.dark else (10, 12, 16)
        width = min(int(widest) + 2 * PADDING + 2, self.room)
        return Bubble(
            name, Lines(lines, font, line_step(font), ink, width - 2 * PADDING), own, width, grounds[0 if own else 1]
        )


@styles.register("page")
@dataclass(frozen=True)
class WebPage(Markdown):
    """A page in a browser: a bar with the address, and the text as markdown below."""

    width: int = 560  # pixels
    margin: int = 24  # pixels
    address: str = "example.org/questions"

    def draw_at(self, text: str, rng: np.random.Generator, capital_pixels: int) -> Pillow.Image:
        """The window with the text."""
        blocks = self.writer(capital_pixels).lay(text, self.room)
        font = typeface(self.address, "sans", capital_pixels)
        line = sum(font.getmetrics())
        bar = line + 22
        left, right = 62, self.width - 12
        if font.getlength(self.address) > right - left - 24:
            raise OverfullError(
                "rendered text, style 'page'", f"no room for the address {self.address!r}", "shorten it"
            )
        needed = bar + 2 * self.margin + stack_height(blocks, GAP)
        page = new_page(self.width, needed, self.min_height, self.max_height, self.paper)
        pen = ImageDraw.Draw(page)
        chrome: Colour = (46, 49, 56) if self.dark else (222, 225, 230)
        field: Colour = (30, 32, 38) if self.dark else (248, 249, 250)
        ink: Colour = (222, 222, 220) if self.dark else (50, 52, 58)
        pen.rectangle((0, 0, self.width, bar - 1), fill=chrome)
        for i, colour in enumerate([(237, 106, 94), (244, 191, 79), (97, 197, 84)]):
            pen.ellipse((12 + 16 * i, bar // 2 - 5, 22 + 16 * i, bar // 2 + 5), fill=colour)
        pen.rounded_rectangle((left, 6, right, bar - 7), radius=8, fill=field)
        font.draw(pen, (left + 12, 11), self.address, ink)
        draw_stack(page, blocks, self.margin, bar + self.margin, GAP)
        return page
