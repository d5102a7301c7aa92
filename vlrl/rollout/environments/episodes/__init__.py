"""Responses of several turns: the loop of turns and answers, its limits, and environments that are played so.

Read episode_environment and play, then world; class_environment and gymnasium_environment are two of them.
"""
