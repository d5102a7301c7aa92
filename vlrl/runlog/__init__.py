"""The run folder on disk: what a run writes, and how a file is written whole or not at all.

Read run_folder, then log_lines and atomic_files."""
