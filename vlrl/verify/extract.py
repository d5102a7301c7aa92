"""What a response declares as its answer, for verifiers of one's own: see `vlrl.verify.reading.declared`."""

from vlrl.verify.reading.declared import Extraction, extract, visible_text

__all__ = ["Extraction", "extract", "visible_text"]
