"""Attention in which k responses share one prompt.

Read prompt_attention, then response_blocks; shared_prefix is the same for decoding."""
