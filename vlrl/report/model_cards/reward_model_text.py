"""The card of a classic reward model: a vision-language model with a value head, which judges and writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vlrl.report.model_cards.base_model import TAG, base_model
from vlrl.report.model_cards.model_card import LICENCE_UNKNOWN, PAPER, SHOWN_FACTS
from vlrl.report.model_cards.public_text import without_folders
from vlrl.report.read_run import RunRecord
from vlrl.report.run_card import card_facts
from vlrl.reward_models.reward_model_card import CARD, HEAD_FILE, RewardModelCard


def classic_card(run: RunRecord, held: RewardModelCard, folder: Path) -> str:
    """What `folder` of this run holds, how to judge with it, its accuracy on validation rows, and its limits.

    The salt, by which a row's parts are told apart, isn't printed: it stands in reward_model.json alone.
    """
    from huggingface_hub import ModelCardData

    base = base_model(run.card)
    licence: dict[str, Any] = dict(base.licence)
    head = ModelCardData(
        base_model=base.name,
        base_model_relation="finetune" if base.name else None,
        library_name="transformers",
        tags=[TAG, "vision-language", "reward-model"],
        **licence,
    )
    name = "/".join(run.folder.resolve().parts[-2:])
    start = f"[{base.name}](https://huggingface.co/{base.name})" if base.name else _made_from(held)
    lines = ["---", head.to_yaml().rstrip(), "---", "", f"# {name}", ""]
    lines.append(
        f"A classic reward model ({PAPER} §2.3.5), trained by vlrl from {start}: it reads a question with its images, "
        "a reference and an answer, and gives the probability that the answer means the same as the reference. It "
        f"writes no text: `{HEAD_FILE}` stands in place of a language model's head."
    )
    lines += ["", "```yaml", f"reward_model: {{path: FOLDER}}  # the folder that holds {CARD}, with this one in it"]
    lines += ["```", "", *_accuracy(run), "## How it was trained", ""]
    lines += [f"- **{key}**: {without_folders(value)}" for key, value in card_facts(run) if key in SHOWN_FACTS]
    lines += [f"- **rows, {file}**: SHA-256 `{digest}`" for file, digest in (held.provenance.get("rows") or {}).items()]
    written = ((run.card.get("weights") or {}).get("written") or {}).get(folder.name) or {}
    lines += [f"- **{file}**: SHA-256 `{digest}`" for file, digest in written.items()]
    if held.instruction:
        lines += ["", "Its instruction:", "", *(f"> {line}" for line in held.instruction.splitlines())]
    lines += ["", "## Limits", ""]
    lines.append(f"- It judges rows as it was trained to read them: without {CARD} nobody can ask it the same way.")
    lines.append("- Its probabilities aren't calibrated, and answers unlike those of its rows were not tested.")
    return "\n".join([*lines, *([] if base.licence else [LICENCE_UNKNOWN]), ""])


def _made_from(held: RewardModelCard) -> str:
    model = str(held.provenance.get("model") or "")
    return f"`{Path(model).name}`, whose name on the hub isn't known" if model else "a model that isn't known"


def _accuracy(run: RunRecord) -> list[str]:
    """On the rows by which the kept weights were chosen, which is said; nothing where none is noted."""
    best = (run.card.get("classic") or {}).get("best_validation_accuracy")
    rows = (run.card.get("data") or {}).get("validation")
    if not isinstance(best, int | float) or not isinstance(rows, int):
        return []
    told = f"Accuracy {best:.3f} on {rows:,} validation rows. The weights of the best step by these rows were kept,"
    return [f"{told} so it is too high for others: `vlrl reward-model eval` measures on test rows.", ""]
