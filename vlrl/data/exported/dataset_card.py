"""README.md of an exported data set: a Hugging Face dataset card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlrl.types import Problem

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))  # the hub's names


def dataset_card(name: str, origin: str, counts: Mapping[str, Mapping[Any, int]], example: Problem) -> str:
    """The card's text.

    origin  the recipe or file that the problems come from
    counts  of each split, problems by modality
    """
    from huggingface_hub import DatasetCardData

    total = sum(sum(held.values()) for held in counts.values())
    files = [{"split": split, "path": f"data/{split}-*.parquet"} for split in counts]
    head = DatasetCardData(
        task_categories=["visual-question-answering"],
        tags=["vlrl", "image-text-to-text", "reinforcement-learning"],
        size_categories=next((label for most, label in SIZES if total < most), "1M<n<10M"),
        configs=[{"config_name": "default", "data_files": files}],
    )
    modalities = sorted({modality for held in counts.values() for modality in held})
    lines = ["---", head.to_yaml().rstrip(), "---", "", f"# {name}", ""]
    lines += [f"Problems with checkable answers, exported by vlrl from `{origin}`.", ""]
    lines += ["| | problems | " + " | ".join(modalities) + " |", "|---|---|" + "---|" * len(modalities)]
    for split, held in counts.items():
        lines.append(
            f"| {split} | {sum(held.values()):,} | " + " | ".join(f"{held.get(m, 0):,}" for m in modalities) + " |"
        )
    lines += ["", "```python", "from datasets import load_dataset", "", 'problems = load_dataset(".", split="train")']
    lines += ['print(problems[0]["question"], problems[0]["images"], problems[0]["answer"])', "```", ""]
    lines += [
        "`question` has `<image 1>` … where `images` stand, `answer` is what `verifier` holds a response against, with "
        "the `metadata` (JSON) that it needs. `recipe.yaml` is the recipe that trains on these files: "
        "`vlrl run CONFIG data=FOLDER/recipe.yaml`.",
        "",
        f"The first one ({example.modality}, {example.domain}): {_quoted(example.question)} → `{example.answer[:80]}`",
        "",
        "No licence is stated, since those of the sources aren't known here; state one before you share it.",
        "",
    ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """One line of a question, without markup of its own."""
    return "“" + " ".join(text.split())[:200].replace("<", "&lt;").replace("`", "'") + "”"
