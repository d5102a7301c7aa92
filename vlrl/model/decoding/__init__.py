"""Reading a prompt and writing a token with few operations.

Read decode_step; the other files are its parts."""
