"""A parcel shown, and sent to the hub as one commit by huggingface_hub."""

from __future__ import annotations

from rich.table import Table

from vlrl.commands.sharing.parcel import PLACE, Parcel, size_of
from vlrl.errors import ConfigError
from vlrl.terminal import console


def print_parcel(parcel: Parcel, repo_id: str) -> None:
    """Files with their sizes, and the card. Raises ConfigError for a name that no repository can have."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise ConfigError("REPO_ID", " ".join(str(error).split()), "write OWNER/NAME") from error
    if "/" not in repo_id:
        raise ConfigError("REPO_ID", f"{repo_id!r} names no owner", "write OWNER/NAME")
    table = Table("file", "MB", title=f"{parcel.kind} {repo_id}, from {parcel.folder}", title_justify="left")
    table.columns[1].justify = "right"
    for name, held in parcel.files.items():
        table.add_row(name, f"{size_of(held) / 1e6:,.3f}")
    total = sum(size_of(held) for held in parcel.files.values())
    table.add_row(f"{len(parcel.files)} files", f"{total / 1e6:,.3f}", style="bold")
    console().print(table)
    print(parcel.card)


def upload(parcel: Parcel, repo_id: str, private: bool = False, endpoint: str | None = None) -> str:
    """Make the repository if it isn't there, and commit all files of the parcel; returns the commit's address.

    endpoint  of the hub; default: huggingface_hub's own (HF_ENDPOINT)

    Raises ConfigError where the hub refuses, or isn't reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, constants

    api = HfApi(endpoint=endpoint or constants.ENDPOINT)
    operations = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=held if isinstance(held, bytes) else str(held))
        for name, held in parcel.files.items()
    ]
    try:
        api.create_repo(repo_id, repo_type=parcel.kind, private=private or None, exist_ok=True)
        done = api.create_commit(
            repo_id, operations, commit_message=f"Upload {parcel.kind} with vlrl", repo_type=parcel.kind
        )
    except Exception as error:  # httpx and its successor have errors of their own for each way to be unreached
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise ConfigError(
            f"{PLACE}, {repo_id}",
            f"{api.endpoint} gave: {said}",
            "log in with `hf auth login` as one who may write there; HF_ENDPOINT names the hub",
        ) from error
    return str(done.commit_url)
