"""A problem as the model's tokens and pixels.

Read encode, then prompt_text and control_tokens."""
