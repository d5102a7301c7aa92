"""The field's words (docs/glossary.md): what had another name before doesn't come back under it."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

from vlrl.renamed import RENAMED

ROOT = Path(__file__).parent.parent
RETIRED = {
    "CreditedGroup", "Denominators", "Ending", "Generation", "Hybrid", "LiveRow", "LiveRows", "Looks",
    "LossNormalizers", "Moment", "Nursery",
    "PackedGroup", "PatchRows", "SftStretch", "Terms", "eyes", "facts", "guide_logprobs", "guides", "in_one_line",
    "leave_below", "max_rows", "pack_rows", "prefill_tokens", "reference_logprobs", "says", "stretches",
}  # fmt: skip
PHRASES = re.compile(
    r"\b((?<!texlive-)pictures?|anew|whoever|so many|one look|a look each)\b|\brows? K\d", re.IGNORECASE
)
# what users and models write, seeds, and former names themselves
WRITTEN_BY_OTHERS = {
    "vlrl/renamed.py",
    "vlrl/curation/selection/open_answer.py",
    "vlrl/data/rows/placeholders.py",
    "vlrl/data/rows/row_view.py",
    "vlrl/scenes/image_pool.py",
    "vlrl/scenes/which_panel.py",
    "vlrl/verify/reading/clause/declaration.py",
    "vlrl/verify/reading/hedging.py",
}
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "vlrl").rglob("*.py"))
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder, pattern in (("docs", "*.md"), ("configs", "**/*.yaml"), ("data_recipes", "*"), ("examples", "*.py"))
    for path in (ROOT / folder).glob(pattern)
    if path.is_file() and path.name != "glossary.md"
)


@pytest.mark.parametrize("name", MODULES)
def test_code_has_no_retired_name(name):
    text = (ROOT / name).read_text()
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    found = {token.string for token in tokens if token.type == tokenize.NAME} & RETIRED
    assert not found
    if name not in WRITTEN_BY_OTHERS:
        assert not PHRASES.findall(text)


@pytest.mark.parametrize("name", [*PAGES, "README.md", "CONTRIBUTING.md"])
def test_pages_and_configs_have_no_retired_word(name):
    assert not PHRASES.findall((ROOT / name).read_text())


@pytest.mark.parametrize("name", sorted({path for path in PAGES if path.endswith(".yaml")}))
def test_configs_have_no_former_key(name):
    keys = set(re.findall(r"(?<![\w./-])([a-z_]+):(?=\s|$)", (ROOT / name).read_text()))
    assert not keys & set(RENAMED)


FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}
SOURCE = "\n".join((ROOT / name).read_text() for name in MODULES)


@pytest.mark.parametrize("name", [name for name in [*PAGES, "README.md", "CONTRIBUTING.md"] if name.endswith(".md")])
def test_a_metric_on_a_page_is_one_that_the_code_writes(name):
    """Keys are `area/what`; some areas make their keys of names that they find, e.g. f"pool/{…}"."""
    for area, what in re.findall(r"`([a-z_0-9]+)/(?!`)([a-z_0-9]*)[a-z_0-9<>…*]*`", (ROOT / name).read_text()):
        if area not in FOLDERS:
            assert f"{area}/{what}" in SOURCE or f'f"{area}/{{' in SOURCE, f"nothing writes {area}/{what}"


def test_a_metric_has_its_present_name():
    for former in ("kl/reference", "optimizer/gradient_norm", "drawing/", "ending/", "probe/picture_shift"):
        assert f'"{former}' not in SOURCE
