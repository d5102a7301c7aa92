"""The tables of the trainers that `vlrl import` knows, one file each. Their keys and defaults are those of 2026.

Read trl, then shared_words and hf_arguments, which several of them share.
"""

from __future__ import annotations

from vlrl.commands.importing.grammar import Grammar
from vlrl.commands.importing.trainers.easyr1 import EASYR1
from vlrl.commands.importing.trainers.ms_swift import MS_SWIFT
from vlrl.commands.importing.trainers.trl import TRL
from vlrl.commands.importing.trainers.verl import VERL

TRAINERS: dict[str, Grammar] = {grammar.name: grammar for grammar in (EASYR1, VERL, TRL, MS_SWIFT)}
