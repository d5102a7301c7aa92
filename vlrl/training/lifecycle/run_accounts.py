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
    "tokens/unused_no_advantage": "unused: groups without an advantage",
    "tokens/unused_left_over": "unused: groups drawn beyond what a step learns from",
    "tokens/unused_fault": "unused: could not be judged, or left out",
    "tokens/unused_weightless": "unused: weight 0",
}
WEIGHTS = ("*.safetensors", "*.bin")


def token_account(metrics: Path) -> dict[str, dict[str, int]]:
    """By stage, tokens summed over the steps of a metrics.jsonl; of none where no stage wrote one.

    RL   prompts once a group, generated tokens, those that an update read with a weight above 0, and the rest, by why.
         What of it has no reason stands in responses that still wait
    else the response tokens of every batch, once an update
    """
    sums: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    lines = list(read_jsonl(metrics)) if metrics.is_file() else []
    for line in lines:
        stage = str(line["phase"])
        if stage == "rl":
            for key, name in COUNTED.items():
                sums[stage][name] += line.get(key) or 0.0
        elif "tokens/response" in line:
            sums[stage]["trained on"] += line["tokens/response"] or 0.0
    found = {stage: {name: round(value) for name, value in held.items() if value} for stage, held in sums.items()}
    if "rl" in found:
        account = found["rl"]
        account["generated and not trained on"] = account.get("generated", 0) - account.get("trained on", 0)
        unused = sum(value for name, value in account.items() if name.startswith("unused: "))
        waits = account["generated and not trained on"] - unused
        if waits and any("tokens/unused_fault" in line for line in lines):  # not of runs before there were such metrics
            account["unused: responses that still wait"] = waits
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


def unstated_weights(stated: Mapping[str, Mapping[str, Any]], folders: Mapping[str, Path]) -> list[str]:
    """Files of weights beside the stated ones, in words; empty where there is none."""
    return [
        f"{file} isn't among the weights that the card states"
        for name, folder in folders.items()
        for file in _weights(folder)
        if file.name not in stated.get(name, {})
    ]


def _weights(folder: Path) -> Iterable[Path]:
    return sorted(file for pattern in WEIGHTS for file in folder.glob(pattern))
