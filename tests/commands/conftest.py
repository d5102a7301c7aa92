"""Small runs: see small_runs.py."""

from small_runs import charts_are_not_drawn, images_config, nobody_waits_for_the_disk, tokenizer_from_few_texts  # noqa: F401
