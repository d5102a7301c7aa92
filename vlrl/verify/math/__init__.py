"""Formulas: exact forms and numbers first, math-verify in worker processes last."""
