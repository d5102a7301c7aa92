"""What a response declares as its answer, for verifiers of one's own: see `vlrl.verify.reading.declared`."""

from vlrl.verify.reading.declared import Extraction, extract
from vlrl.verify.values.shown_text import visible_text

__all__ = ["Extraction", "extract", "visible_text"]
