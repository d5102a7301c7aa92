"""Which texts and images are copies of one another.

Read duplicates and contamination, then text_match and image_match."""
