"""Characters, words and formulas on a page: fonts with fallbacks, shaping, lines, TeX.

Read fonts and typeface, then line_breaking and inline; tex and formula_drawing set formulas."""
