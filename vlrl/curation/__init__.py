"""Curation: from raw problems to a set worth training on, in named, counted stages. Importing this files the stages."""

from vlrl.curation.matching import contamination, duplicates
from vlrl.curation.selection import balance, difficulty, formats, guessing

__all__ = ["balance", "contamination", "difficulty", "duplicates", "formats", "guessing"]
