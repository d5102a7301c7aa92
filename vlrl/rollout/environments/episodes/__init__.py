"""Responses of several turns: the loop of turns and answers, its limits, and environments that are played so."""
