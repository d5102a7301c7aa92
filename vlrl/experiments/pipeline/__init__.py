"""Chains of commands, each reading what the one before wrote.

Read pipeline, then link_commands."""
