"""Small models of families that are read in the generic way: a configuration and the family's own processor each.

Read parts, then one of the others; families/tested.py says what was tested with them.
"""

from vlrl.model.families.small import grids, tiles, two_way
from vlrl.model.families.tiny_parts import TinyModel


def generic_models() -> dict[str, TinyModel]:
    """All of them, by name."""
    return {**tiles.MODELS, **grids.MODELS, **two_way.MODELS}
