"""The options of a question as tables hold them, and which of them the gold is.

Read choices, then option_labels."""
