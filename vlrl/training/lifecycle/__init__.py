"""A run's life on disk: claimed, locked, saved, resumed, ended, complete.

Read run_claim and checkpoint, then run_changes."""
