"""Formulas: exact forms and numbers first, math-verify in worker processes last.

Read same_structure and structure, then formula and formula_value; math_worker asks math-verify.
"""
