"""What pyproject.toml can't say: where configs, recipes and examples go, and which commit a distribution is made from.

They lie beside the package in a checkout and inside of it in a wheel.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

BESIDE = {f"vlrl.{name}": name for name in ("configs", "data_recipes", "examples")}
HERE = Path(__file__).resolve().parent
FOLDERS = [  # setuptools wants every folder with data named, also those without a module
    ".".join((package, *folder.relative_to(HERE / beside).parts))
    for package, beside in BESIDE.items()
    for folder in sorted((HERE / beside).rglob("*/"))
    if folder.is_dir() and folder.name != "__pycache__"
]


def commit() -> str | None:
    """Of this checkout, `+` behind it where files are changed; in an unpacked sdist what its own commit.txt says."""
    if not (HERE / ".git").exists():
        held = HERE / "vlrl" / "commit.txt"
        return held.read_text() if held.is_file() else None
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain"], cwd=HERE, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "") + "\n"


def note_commit(package: Path) -> None:
    """Write commit.txt into the folder of the package that is being built."""
    if (made_from := commit()) is not None:
        package.mkdir(parents=True, exist_ok=True)
        (package / "commit.txt").write_text(made_from)


class BuildWithCommit(build_py):
    """Also leaves vlrl/commit.txt in what is built; an editable install reads the checkout's git instead."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            note_commit(Path(self.build_lib) / "vlrl")


class SdistWithCommit(sdist):
    """The same in an sdist."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        super().make_release_tree(base_dir, files)
        note_commit(Path(base_dir) / "vlrl")


setup(
    packages=[*find_packages(include=["vlrl", "vlrl.*"]), *BESIDE, *FOLDERS],
    package_dir=BESIDE,
    package_data={package: ["**/*.yaml", "**/*.py", "**/*.md", "**/*.ipynb"] for package in BESIDE},
    cmdclass={"build_py": BuildWithCommit, "sdist": SdistWithCommit},
)
