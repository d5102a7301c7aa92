"""Worker processes with limits of time and memory, for what must not harm the trainer."""
