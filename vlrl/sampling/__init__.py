"""Which problem of a source comes next; importing the package files all weights under their names."""

from vlrl.sampling import weights  # noqa: F401
