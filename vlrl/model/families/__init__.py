"""What one family of models does its own way."""
