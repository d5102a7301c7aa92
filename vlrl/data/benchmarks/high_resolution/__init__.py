"""Benchmarks of small things in large images: four options by letter, and what tools that look closer are for.

Read vstar, then hr_bench.
"""

from vlrl.data.benchmarks.high_resolution import hr_bench, vstar

__all__ = ["hr_bench", "vstar"]
