"""Answers rewritten so that they stay the same, and changed so that they don't: family.py says what a family is, and
numbers.py, units.py, algebra.py and relations.py are four. Labels follow from exact values, never from a verifier.
"""

from vlrl.reward_models.rewriting import algebra, numbers, relations, units

__all__ = ["algebra", "numbers", "relations", "units"]
