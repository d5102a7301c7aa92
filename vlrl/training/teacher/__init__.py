"""Other models that a run learns from or is compared with.

Read reference_model, then record_teacher."""
