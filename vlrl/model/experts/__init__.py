"""Mixtures of experts: what a token is multiplied with, which experts it is sent to, and how evenly.

Read routers; the other files count, and lay out what it notes."""
