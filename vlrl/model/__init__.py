"""The policy model: loading, sizes and cost at this level; families, prompts, vision, attention and training below.

Read load and sizes, then training/policy and batch/example.
"""
