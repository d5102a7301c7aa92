"""Losses of the policy-gradient family: the ratio to the sampler and where it is clipped.

Read grpo first; the others say what they change."""
