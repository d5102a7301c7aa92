"""Which problem of a source comes next; importing the package files all weights under their names.

Read problem_sampler, then problem_weights.
"""

from vlrl.curriculum import problem_weights  # noqa: F401
