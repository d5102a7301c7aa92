"""What a finished run states of itself: tokens by kind, and digests of all files of weights that it read or wrote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vlrl.runlog.atomic_files import file_digest
from vlrl.runlog.log_lines import read_jsonl

COUNTED = {  # metrics of a step: what they are called in the account
    "tokens/text": "prompt, text",
    "tokens/image": "prompt, images",
    "tokens/written": "generated",
    "tokens/contrast": "generated for contrast",
    "tokens/trained": "trained on",
}
WEIGHTS = ("*.safetensors", "*.bin")


def token_account(metrics: Path) -> dict[str, dict[str, int]]:
    """By stage, tokens summed over the steps of a metrics.jsonl.

    RL   prompts once a group, generated tokens, those that an update read with a weight above 0, and the rest: groups
         without an advantage, faults, tokens of weight 0, responses that still wait
    else the response tokens of every batch, once an update
    """
    sums: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for line in read_jsonl(metrics):
        stage = str(line["phase"])
        if stage == "rl":
            for key, name in COUNTED.items():
                sums[stage][name] += line.get(key) or 0.0
        elif "tokens/response" in line:
            sums[stage]["trained on"] += line["tokens/response"] or 0.0
    found = {stage: {name: round(value) for name, value in held.items() if value} for stage, held in sums.items()}
    if "rl" in found:
        found["rl"]["generated and not trained on"] = found["rl"].get("generated", 0) - found["rl"].get("trained on", 0)
    return found


def weight_digests(folders: Mapping[str, Path | None]) -> dict[str, dict[str, str]]:
    """By name of a model folder: SHA-256 of each file of weights in it; folders that aren't there are left out."""
    found = {
        name: {file.name: file_digest(file) for file in _weights(folder)}
        for name, folder in folders.items()
        if folder is not None and folder.is_dir()
    }
    return {name: held for name, held in found.items() if held}


def changed_weights(stated: Mapping[str, Mapping[str, Any]], folders: Mapping[str, Path]) -> list[str]:
    """What of stated digests no longer holds, in words; empty where all do."""
    wrong = []
    for name, files in stated.items():
        for file, digest in files.items():
            path = folders[name] / file
            if not path.is_file():
                wrong.append(f"{path} is gone")
            elif file_digest(path) != digest:
                wrong.append(f"{path} has other contents than the card states")
    return wrong


def _weights(folder: Path) -> Iterable[Path]:
    return sorted(file for pattern in WEIGHTS for file in folder.glob(pattern))
