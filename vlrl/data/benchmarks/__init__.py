"""Benchmarks, one file each; importing the package files them all under their names.

Read benchmark_definition, then gsm8k; benchmark_rows makes problems of rows.
"""

from vlrl.data.benchmarks import (
    dynamath,
    gsm8k,
    high_resolution,
    math_aime,
    mathvision,
    mathvista,
    mmmu,
    programming,
    tabmwp,
)

__all__ = [
    "dynamath",
    "gsm8k",
    "high_resolution",
    "math_aime",
    "mathvision",
    "mathvista",
    "mmmu",
    "programming",
    "tabmwp",
]
