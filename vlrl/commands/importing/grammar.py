"""The tables that say what another trainer's keys mean, and how a config is read by one.

A rule is one of four: `To` a fact that all trainers share, `Same` where the value makes no difference, `Lacks` where
there is no counterpart (unless the value turns it off), `When` a switch decides whether the key is read at all. What a
trainer takes where nothing is said counts as said, and is marked as its default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Literal

from vlrl.commands.importing.foreign_file import ForeignConfig
from vlrl.commands.importing.values import NOTHING, Reading, text
from vlrl.errors import ConfigError

Status = Literal["translated", "no difference", "no counterpart", "to decide"]
_UNSET = re.compile(r"\$\{\w+\}|\$\(")


@dataclass(frozen=True)
class To:
    """The key gives a fact; `read` makes its value of what is written."""

    fact: str
    read: Reading = text


@dataclass(frozen=True)
class Same:
    """Whatever the value, the result here is the same; `why` says how vlrl does it."""

    why: str


@dataclass(frozen=True)
class Lacks:
    """There is no counterpart; at one of the values in `off` nothing is lost."""

    why: str
    off: tuple[Any, ...] = ()


@dataclass(frozen=True)
class When:
    """The key is read where `switch`, another key of the config, is on."""

    switch: str
    rule: To | Lacks


Rule = To | Same | Lacks | When


@dataclass(frozen=True)
class Grammar:
    """One trainer's table.

    marks     keys that only this trainer has; `programs` are the words that start it
    keys      rule by key; a key with `*` stands for all that it matches, a whole one comes first
    defaults  what the trainer takes where a key is left out
    also      other spellings of a key, e.g. of earlier releases; what stands in front of one in `within` is left out
    variants  word in a program or key → what is taken there where nothing is said, e.g. of RLOO
    """

    name: str
    title: str
    marks: tuple[str, ...]
    programs: tuple[str, ...]
    keys: Mapping[str, Rule]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    also: Mapping[str, str] = field(default_factory=dict)
    within: tuple[str, ...] = ()
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def _patterns(self) -> list[tuple[str, Rule]]:
        return sorted(((key, rule) for key, rule in self.keys.items() if "*" in key), key=lambda pair: -len(pair[0]))

    def rule(self, key: str) -> Rule | None:
        """The rule for a key, None where the table doesn't know it."""
        if key in self.keys:
            return self.keys[key]
        return next((rule for pattern, rule in self._patterns if fnmatchcase(key, pattern)), None)

    def named(self, key: str) -> str:
        """A key as the table spells it."""
        bare = next((key.removeprefix(one) for one in self.within if key.startswith(one)), key)
        return self.also.get(key, self.also.get(bare, bare))

    def taken(self, config: ForeignConfig) -> dict[str, Any]:
        """What the trainer takes where a config says nothing."""
        words = [*config.programs, *config.keys]
        found = dict(self.defaults)
        for mark, values in self.variants.items():
            if any(mark in word.lower() for word in words):
                found.update(values)
        return found

    def likeness(self, config: ForeignConfig) -> tuple[int, int]:
        """How much a config looks as if it was this trainer's: (its own words and keys, keys that it knows)."""
        words = {part for word in config.programs for part in (word, word.rpartition("/")[2])}
        own = len(words & set(self.programs)) * 5
        own += sum(any(fnmatchcase(key, mark) for mark in self.marks) for key in config.keys)
        return own, sum(self.rule(self.named(key)) is not None for key in config.keys)


@dataclass
class Entry:
    """What became of one key: `ours` are the dotted keys of our settings, `note` says why."""

    key: str
    value: Any
    default: bool = False
    status: Status = "no counterpart"
    ours: tuple[str, ...] = ()
    note: str = ""

    @property
    def nothing_lost(self) -> bool:
        """Whether the run is as the config wants it in this respect."""
        return self.status in ("translated", "no difference")


@dataclass
class Meaning:
    """The facts that a config states, and what became of each of its keys."""

    grammar: Grammar
    place: str
    stated: dict[str, Any] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    sources: dict[str, list[Entry]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def take(self, fact: str, ours: str | tuple[str, ...] = (), default: Any = None, note: str = "") -> Any:
        """A fact's value; its keys became `ours`. `default` where the config doesn't state it."""
        if self.stated.get(fact) is None:
            for entry in self.sources.get(fact, []):
                entry.status, entry.note = "no difference", "says nothing: off"
            return default
        for entry in self.sources[fact]:
            entry.status, entry.note = "translated", note or entry.note
            entry.ours = (*entry.ours, *((ours,) if isinstance(ours, str) else ours))
        return self.stated[fact]

    def peek(self, fact: str, default: Any = None) -> Any:
        """A fact's value, which settles nothing about its keys."""
        found = self.stated.get(fact)
        return default if found is None else found

    def settle(self, fact: str, status: Status, note: str) -> None:
        """Say of a fact's keys that they make no difference, have no counterpart or are for the user to decide."""
        for entry in self.sources.get(fact, []):
            entry.status, entry.note = status, note

    def finish(self) -> None:
        """What nobody took has no effect in the config as it is."""
        for entry in self.entries:
            if entry.status == "no counterpart" and not entry.note:
                entry.status, entry.note = "no difference", "has no effect beside the other settings"


def read_by(grammar: Grammar, config: ForeignConfig) -> Meaning:
    """The facts of a config by a trainer's table."""
    meaning = Meaning(grammar, config.place)
    said = {grammar.named(key): (key, value) for key, value in config.keys.items()}
    filled = {key: value for key, (_, value) in said.items()}
    values = {**grammar.taken(config), **filled}
    for key, value in values.items():
        entry = Entry(said[key][0] if key in said else key, value, key not in said)
        _settle(meaning, grammar, entry, key, values)
        meaning.entries.append(entry)
    for key, why in config.unread.items():
        meaning.entries.append(Entry(key, "", status="to decide", note=why))
    return meaning


def _settle(meaning: Meaning, grammar: Grammar, entry: Entry, key: str, values: Mapping[str, Any]) -> None:
    rule = grammar.rule(key)
    if isinstance(rule, When):
        if str(values.get(rule.switch)).lower() in ("false", "none", "0", "no", ""):
            entry.status, entry.note = "no difference", f"is read only with {rule.switch}"
            return
        rule = rule.rule
    if rule is None:
        if key.startswith("environment."):
            entry.status, entry.note = "no difference", "a variable of the environment, not a setting"
        else:
            entry.note = f"isn't among the keys of {grammar.title} that are known here"
    elif isinstance(rule, Same):
        entry.status, entry.note = "no difference", rule.why
    elif isinstance(rule, Lacks):
        off = any(_same(entry.value, one) for one in rule.off)
        entry.status, entry.note = (
            ("no difference", f"nothing is lost: {rule.why}") if off else ("no counterpart", rule.why)
        )
    else:
        try:
            meaning.stated[rule.fact] = rule.read(entry.value)
            meaning.sources.setdefault(rule.fact, []).append(entry)
        except (ValueError, TypeError) as error:
            unset = isinstance(entry.value, str) and _UNSET.search(entry.value)
            entry.note = "is known only where the script runs: set it in the new config" if unset else str(error)
            entry.status = "to decide" if unset else "no counterpart"


def _same(value: Any, other: Any) -> bool:
    """Whether two spellings mean one value: True and "true", 1 and 1.0, null and ""."""
    if other is None:
        return value in NOTHING
    if isinstance(value, bool) or isinstance(other, bool):
        return str(value).lower() == str(other).lower()
    try:
        return float(value) == float(other)
    except (TypeError, ValueError):
        return str(value).lower() == str(other).lower()


def grammar_for(config: ForeignConfig, known: Mapping[str, Grammar], named: str | None) -> Grammar:
    """The table of the trainer that a config is of, by its keys or by name. Raises ConfigError."""
    if named is not None:
        if named not in known:
            raise ConfigError("--from", f"unknown trainer {named!r}", f"one of: {', '.join(known)}")
        return known[named]
    by_likeness = sorted(known.values(), key=lambda one: one.likeness(config), reverse=True)
    best, second = by_likeness[0], by_likeness[1]
    if not any(best.likeness(config)) or best.likeness(config) == second.likeness(config):
        raise ConfigError(config.place, "doesn't say which trainer it is of", f"say it: --from {'|'.join(known)}")
    return best
