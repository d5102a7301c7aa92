"""Text as images: layout, styles, distortion, and the rendered twin of a text problem. Importing registers styles.

Read convert and page, then styles/plain_style and typesetting/fonts.
"""

from vlrl.rendered_text.styles import (
    code_style,
    data_style,
    handwriting_style,
    markdown_style,
    mixed_style,
    plain_style,
    screenshot_style,
    style_registry,
    table_style,
)

__all__ = [
    "code_style",
    "data_style",
    "handwriting_style",
    "markdown_style",
    "mixed_style",
    "plain_style",
    "screenshot_style",
    "style_registry",
    "table_style",
]
