"""Responses of several turns: calls that the policy writes, tools that answer with texts and images, and limits."""
