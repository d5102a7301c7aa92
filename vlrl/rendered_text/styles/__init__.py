"""The looks that a text can be rendered in, one file a style.

Read style_registry, then plain_style."""
