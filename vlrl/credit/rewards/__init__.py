"""Reward parts besides the verifier's score: length, repetition, format, comparisons within a group.

Read shapes, then length_reward."""
