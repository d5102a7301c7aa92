"""What of a step's responses is written first: read length_head.py (predicted lengths), then long_first.py."""
