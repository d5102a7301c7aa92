"""Our tools as the policy calls them: methods on the images of an episode, each result one more image of it."""

from __future__ import annotations

from typing import Any

from PIL import Image as Pillow

from vlrl.rollout.environments.calls.results import MOST_PIXELS
from vlrl.rollout.environments.tools.image_functions import (
    Coordinates,
    box_of,
    crop,
    draw_box,
    draw_line,
    flip,
    in_pixels,
    mean_colour,
    rotate,
)
from vlrl.rollout.environments.tools.programs import as_png, printed_by, printed_text

NAMES = {  # in a config, and as the policy calls it
    "zoom": "image_zoom_in_tool",
    "rotate": "image_rotate_tool",
    "flip": "image_flip_tool",
    "draw_box": "image_draw_box_tool",
    "draw_line": "image_draw_line_tool",
    "colour": "image_colour_tool",
    "select": "image_select_tool",
    "ocr": "image_text_tool",
    "python": "python_tool",
}

PROGRAMS = ("ocr", "python")  # the tools that start one


class ImageTools:
    """The images of one episode: those of the prompt, then those that tools made, counted from 0."""

    def __init__(self, coordinates: Coordinates, least_side: int, ocr_language: str = "eng") -> None:
        self._coordinates, self._least, self._ocr_language = coordinates, least_side, ocr_language
        self._images: list[Pillow.Image] = []

    def reset(self, images: list[Any]) -> None:
        """The images of the prompt."""
        self._images = list(images)

    def image_zoom_in_tool(self, bbox_2d: list[float], label: str = "", img_idx: int = 0) -> Any:
        """Look closer at a part of an image: the part is cut out of the original and shown by itself.

        Args:
            bbox_2d: The part as [left, top, right, bottom].
            label: What is to be seen there.
            img_idx: Which image, counted from 0.
        """
        image = self._image(img_idx)
        return self._made(crop(image, box_of(bbox_2d, image.size, self._coordinates, self._least)))

    def image_rotate_tool(self, angle: float, img_idx: int = 0) -> Any:
        """Turn an image clockwise.

        Args:
            angle: Degrees clockwise.
            img_idx: Which image, counted from 0.
        """
        return self._made(rotate(self._image(img_idx), float(angle)))

    def image_flip_tool(self, horizontal: bool = True, img_idx: int = 0) -> Any:
        """Mirror an image.

        Args:
            horizontal: Left to right; else top to bottom.
            img_idx: Which image, counted from 0.
        """
        return self._made(flip(self._image(img_idx), horizontal))

    def image_draw_box_tool(self, bbox_2d: list[float], color: str = "red", img_idx: int = 0) -> Any:
        """Draw a box on an image.

        Args:
            bbox_2d: The box as [left, top, right, bottom].
            color: Its colour, by name or as #rrggbb.
            img_idx: Which image, counted from 0.
        """
        image = self._image(img_idx)
        return self._made(draw_box(image, box_of(bbox_2d, image.size, self._coordinates), color))

    def image_draw_line_tool(self, points: list[float], color: str = "red", img_idx: int = 0) -> Any:
        """Draw a line through points of an image.

        Args:
            points: x and y of each point in turn.
            color: Its colour, by name or as #rrggbb.
            img_idx: Which image, counted from 0.
        """
        image = self._image(img_idx)
        return self._made(draw_line(image, in_pixels(points, image.size, self._coordinates), color))

    def image_colour_tool(self, bbox_2d: list[float], img_idx: int = 0) -> str:
        """Measure the mean colour of a part of an image.

        Args:
            bbox_2d: The part as [left, top, right, bottom].
            img_idx: Which image, counted from 0.
        """
        image = self._image(img_idx)
        red, green, blue = mean_colour(image, box_of(bbox_2d, image.size, self._coordinates))
        return f"red {red}, green {green}, blue {blue} (0 to 255)"

    def image_select_tool(self, img_idx: int) -> Any:
        """Show one of the images again.

        Args:
            img_idx: Which image, counted from 0.
        """
        return self._image(img_idx).copy()

    def image_text_tool(self, bbox_2d: list[float] | None = None, img_idx: int = 0) -> str:
        """Read the printed text of an image, or of a part of it.

        Args:
            bbox_2d: The part as [left, top, right, bottom]; without it the whole image.
            img_idx: Which image, counted from 0.
        """
        image = self._image(img_idx)
        part = image if bbox_2d is None else crop(image, box_of(bbox_2d, image.size, self._coordinates))
        return printed_text(part, self._ocr_language) or "no text"

    def python_tool(self, code: str) -> str:
        """Run a Python program in a sandbox; what it prints is the result. The images are files beside it, image_0.png,
        image_1.png and so on.

        Args:
            code: The program.
        """
        return printed_by(code, {f"image_{i}.png": as_png(image) for i, image in enumerate(self._images)})

    def _image(self, number: int) -> Pillow.Image:
        if not 0 <= number < len(self._images):
            raise ValueError(f"there is no image {number}; there are {len(self._images)}, counted from 0")
        return self._images[int(number)]

    def _made(self, image: Pillow.Image) -> Pillow.Image:
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"the result would have {image.width}×{image.height} pixels, which is too many")
        self._images.append(image)
        return image
