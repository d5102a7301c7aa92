"""Cards beside the models of a run. A card of ours is written again whenever the run knows more; any other stays.

The line that marks a card as ours holds a digest of all else in it, so that one which a user has changed is theirs.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from vlrl.report.model_cards.base_model import README
from vlrl.report.model_cards.model_card import model_card
from vlrl.report.model_cards.reward_model_text import classic_card
from vlrl.report.read_run import RunRecord, read_run
from vlrl.reward_models.reward_model_card import RewardModelCard, read_card
from vlrl.runlog import own_files
from vlrl.runlog.atomic_files import write_atomically

MODELS = "model*/config.json"  # in a run folder
_BEGIN, _END = "<!-- Written by vlrl, and again when its run knows more; once changed, it stays. sha256 ", " -->\n"
_MARK = re.compile(re.escape(_BEGIN) + "([0-9a-f]{64})" + re.escape(_END))


def write_model_cards(run: RunRecord | Path) -> list[Path]:
    """A card into every model that a run has left so far, exports among them; returns those that were written.

    Raises RunError where the folder is no run folder or a file of it can't be read, ConfigError for a damaged
    reward_model.json.
    """
    record = read_run(run) if isinstance(run, Path) else run
    judge = read_card(record.folder, "reward_model.json")
    cards = [write_card(file.parent, _text(record, judge, file.parent)) for file in _models(record.folder)]
    for card in filter(None, cards):
        own_files.note_page(record.folder, card)
    return [card for card in cards if card is not None]


def missing_cards(run_folder: Path) -> list[Path]:
    """Cards that models of a run should have and haven't."""
    wanted = [file.parent / README for file in _models(run_folder)]
    return [card for card in wanted if not card.is_file()]


def write_card(folder: Path, text: str) -> Path | None:
    """A card in a folder, unless one lies there that isn't ours or has been changed: then None. One that says the same
    stays as it is."""
    target = folder / README
    if target.is_file() and not is_ours(target):
        return None
    text = marked(text)
    if not target.is_file() or target.read_text(encoding="utf-8") != text:
        write_atomically(target, text)
    return target


def is_ours(card: Path) -> bool:
    """Whether a README.md is as we wrote it."""
    text = card.read_text(encoding="utf-8", errors="replace")
    found = _MARK.search(text)
    return found is not None and found[1] == _digest(text.replace(found[0], "", 1))


def marked(text: str) -> str:
    """A card with the mark behind its front matter."""
    end = text.index("\n---\n", 3) + len("\n---\n")
    return f"{text[:end]}{_BEGIN}{_digest(text)}{_END}{text[end:]}"


def _text(record: RunRecord, judge: RewardModelCard | None, folder: Path) -> str:
    if judge is not None and judge.kind == "classic" and folder.name == judge.weights:
        return classic_card(record, judge, folder)
    return model_card(record, folder)


def _models(run_folder: Path) -> list[Path]:
    return sorted(run_folder.glob(MODELS))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
