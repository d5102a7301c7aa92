"""What a recipe's sources hold, found before a run: rows, images, golds that can be scored, shares.

Read table_check, then gold_checks and recipe_stats."""
