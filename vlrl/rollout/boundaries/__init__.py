"""Hooks at the boundaries of a response: boundary.py says what they are, turn_writer.py asks them.

Behind it stand the hooks that the package has, a file each.
"""

from vlrl.rollout.boundaries import failed_calls, induced_answers, thinking_cuts, turn_resampling  # noqa: F401
