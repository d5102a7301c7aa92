"""`vlrl compare`: several runs beside each other.

`compared` computes, `compare_page` shows it as a page and as tables."""
