"""A run's life on disk: claimed, locked, saved, resumed, ended, complete.

Read run_place and checkpoint, then run_changes."""
