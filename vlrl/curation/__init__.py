"""Curation: from raw problems to a set worth training on, in named, counted stages. Importing this files the stages."""

from vlrl.curation import balance, contamination, difficulty, duplicates, formats, guessing

__all__ = ["balance", "contamination", "difficulty", "duplicates", "formats", "guessing"]
