"""README.md of saved models: Hugging Face model cards, made of the facts that a run has noted.

Read card_files, then model_card and base_model."""
