"""Curation: from raw problems to a set worth training on, in named, counted stages. Importing this files the stages.

Read curation_run, funnel and stage, then selection/difficulty; matching/ finds copies, test_cases/ makes tests.
"""

from vlrl.curation.matching import contamination, duplicates
from vlrl.curation.selection import balance, difficulty, formats, guessing
from vlrl.curation.test_cases import generate_tests

__all__ = ["balance", "contamination", "difficulty", "duplicates", "formats", "generate_tests", "guessing"]
