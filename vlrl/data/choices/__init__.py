"""The options of a question as tables hold them, and which of them the gold is.

Read option_columns (where a row has them), then option_forms and gold_choice."""
