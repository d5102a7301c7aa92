"""Stages that keep or change problems: difficulty, guessing, balance, format.

Read difficulty for the shape of one."""
