"""Recipes: what is wrong is said at once, with place, value and remedy."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from vlrl.data.mixture import Mixture
from vlrl.data.recipe import Recipe, load_recipe
from vlrl.errors import ConfigError
from vlrl.verify.judge import judge

SUMS = "{name: sums, kind: domain, domain: {name: arithmetic, operations: '+-'}, weight: 3}"
DIGITS = "{name: digits, kind: domain, domain: {name: scanned_digits, size: 48}, weight: 1}"
RENDERED = "{name: drawn, kind: rendered, of: sums, style: {name: cells, cell: 16, size: 48}, weight: 2}"


def write(folder: Path, *sources: str, more: str = "") -> Path:
    file = folder / "recipe.yaml"
    file.write_text(more + "sources:\n" + "".join(f"  - {source}\n" for source in sources))
    return file


def refusal(folder: Path, *sources: str, more: str = "", overrides: tuple[str, ...] = ()) -> ConfigError:
    file = write(folder, *sources, more=more)
    with pytest.raises(ConfigError) as caught:
        load_recipe(file, overrides)
    assert str(file) in caught.value.place
    return caught.value


def test_a_recipe_loads_with_exact_shares_in_its_own_order(tmp_path):
    recipe = load_recipe(write(tmp_path, SUMS, DIGITS, RENDERED))
    assert recipe.shares == {"sums": Fraction(1, 2), "digits": Fraction(1, 6), "drawn": Fraction(1, 3)}
    assert list(recipe.shares) == ["sums", "digits", "drawn"]


def test_weights_are_exact_decimals(tmp_path):
    recipe = load_recipe(write(tmp_path, SUMS.replace("weight: 3", "weight: 0.1"), DIGITS.replace("1}", "0.2}")))
    assert recipe.shares == {"sums": Fraction(1, 3), "digits": Fraction(2, 3)}


def test_overrides_name_sources_and_keep_their_order(tmp_path):
    file = write(tmp_path, SUMS, DIGITS, RENDERED)
    recipe = load_recipe(file, ["sources.digits.weight=4", "sources.sums.domain.terms=[2, 3]", "image.max_pixels=2304"])
    assert [source.weight for source in recipe.sources] == [3, 4, 2]
    assert [source.name for source in recipe.sources] == ["sums", "digits", "drawn"]
    assert recipe.sources[0].domain.terms == (2, 3)
    assert recipe.image.max_pixels == 2304


def test_a_recipe_survives_being_written_and_read_again(tmp_path):
    recipe = load_recipe(write(tmp_path, SUMS, DIGITS, RENDERED))
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    ("sources", "place", "problem", "remedy"),
    [
        ([], "sources", "the recipe is empty", "at least one"),
        ([SUMS, SUMS], "sources", "two sources are named 'sums'", "own name"),
        ([SUMS.replace("weight: 3", "weight: 0")], "weight", "got 0", "above 0"),
        ([SUMS.replace("weight: 3", "weight: -1")], "weight", "got -1", "above 0"),
        ([SUMS.replace("weight: 3", "wieght: 3")], "sources[0] 'sums'", "'wieght'", "'weight'"),
        ([SUMS.replace("weight: 3", "weight: much")], "sources[0] 'sums', weight", "'much'", ""),
        ([SUMS.replace("arithmetic", "arithmetik")], "sources[0] 'sums'", "'arithmetik'", "'arithmetic'"),
        ([SUMS.replace("operations", "operation")], "domain 'arithmetic'", "'operation'", "'operations'"),
        ([SUMS.replace("kind: domain", "kind: domian")], "kind", "'domian'", "'domain'"),
        ([SUMS.replace("kind: domain, ", "")], "kind", "missing", "domain"),
        ([SUMS.replace("weight: 3", "difficulty: [0.5, 0.1]")], "difficulty", "low", ""),
        ([SUMS.replace("weight: 3", "difficulty: [0, 2]")], "difficulty", "low", ""),
        ([SUMS, RENDERED.replace("of: sums", "of: summs")], "source 'drawn', of", "'summs'", "'sums'"),
        ([DIGITS, RENDERED.replace("of: sums", "of: digits")], "source 'drawn', of", "'real'", "text source"),
        ([SUMS, RENDERED.replace("cells", "cels")], "sources[1] 'drawn'", "'cels'", "'cells'"),
        ([SUMS, RENDERED.replace("cell: 16", "cell: 20")], "sources[1] 'drawn'", "48", ""),
        (
            ["{name: rows, kind: file, path: gone.jsonl, modality: text, verifier: number}"],
            "path",
            "gone.jsonl",
            "path",
        ),
        (
            ["{name: rows, kind: file, path: org/name, modality: text, verifier: nmber}"],
            "verifier",
            "'nmber'",
            "'number'",
        ),
        (["{name: rows, kind: file, path: org/name, modality: text}"], "verifier", "missing", "number"),
        (["{name: rows, kind: file, path: org/name, modality: txt, verifier: number}"], "modality", "'txt'", ""),
        (["just text"], "sources[0]", "just text", "kind"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(tmp_path, sources, place, problem, remedy):
    error = refusal(tmp_path, *sources)
    assert place in error.place
    assert problem in error.problem
    assert remedy in error.problem + error.remedy


def test_an_empty_list_of_sources_is_an_error(tmp_path):
    file = tmp_path / "empty.yaml"
    file.write_text("sources: []\n")
    with pytest.raises(ConfigError, match="the recipe is empty"):
        load_recipe(file)


def test_an_empty_file_is_an_error(tmp_path):
    file = tmp_path / "empty.yaml"
    file.write_text("")
    with pytest.raises(ConfigError, match=r"sources: is missing"):
        load_recipe(file)


def test_a_variable_that_is_not_set_says_what_to_export(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH_FOLDER", raising=False)
    source = '{name: rows, kind: file, path: "${NO_SUCH_FOLDER}/a.jsonl", modality: text, verifier: number}'
    assert "export NO_SUCH_FOLDER" in refusal(tmp_path, source).remedy


def test_a_image_budget_must_be_ordered(tmp_path):
    assert "min_pixels 9" in refusal(tmp_path, SUMS, more="image: {min_pixels: 9, max_pixels: 4}\n").problem


def test_a_plugin_is_found_beside_the_recipe_and_its_domain_can_be_named(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from vlrl.scenes.domain import domain\n"
        "from vlrl.types import Draft\n"
        "@domain('recipe_test_echo', family='tests', modality='text')\n"
        "@dataclass(frozen=True)\n"
        "class Echo:\n"
        "    verifier = 'number'\n"
        "    def draw(self, rng, difficulty):\n"
        "        return Draft('7?', '7')\n"
    )
    source = "{name: echo, kind: domain, domain: recipe_test_echo}"
    recipe = load_recipe(write(tmp_path, source, more="plugins: [mine.py]\n"))
    assert recipe.sources[0].domain.name == "recipe_test_echo"


def test_a_missing_plugin_is_an_error(tmp_path):
    assert "no such file" in refusal(tmp_path, SUMS, more="plugins: [gone.py]\n").problem


def test_a_domain_whose_verifier_is_unknown_is_an_error_before_anything_is_drawn(tmp_path):
    (tmp_path / "typo.py").write_text(
        "from dataclasses import dataclass\n"
        "from vlrl.scenes.domain import domain\n"
        "@domain('recipe_test_typo', family='tests', modality='text')\n"
        "@dataclass(frozen=True)\n"
        "class Typo:\n"
        "    verifier = 'numbr'\n"
    )
    error = refusal(tmp_path, "{name: t, kind: domain, domain: recipe_test_typo}", more="plugins: [typo.py]\n")
    assert "unknown verifier 'numbr'" in error.problem
    assert "'number'" in error.remedy


def test_a_domain_may_judge_its_own_answers_by_a_method(tmp_path):
    (tmp_path / "domain.py").write_text(
        "from dataclasses import dataclass\n"
        "from vlrl.scenes.domain import domain\nfrom vlrl.types import Draft, Verdict\n"
        "@domain('own_judge', family='test', modality='text')\n@dataclass(frozen=True)\nclass OwnJudge:\n"
        "    def draw(self, rng, difficulty):\n        return Draft(question='Say something long.', answer='long')\n"
        "    def verify(self, problem, response):\n"
        "        return Verdict.right() if len(response) > 9 else Verdict.wrong('short')\n"
    )
    (tmp_path / "recipe.yaml").write_text(
        "plugins: [domain.py]\nsources: [{name: own, kind: domain, domain: own_judge, weight: 1}]\n"
    )
    problem = Mixture(load_recipe(tmp_path / "recipe.yaml"), 0).draw(1)[0]
    assert problem.verifier == "own_judge"
    assert judge(problem, "something long").correct
    assert judge(problem, "short").note == "short"


@pytest.mark.parametrize(
    ("decorated", "said"), [("@dataclass(frozen=True)\n", "says no verifier"), ("", "is no dataclass")]
)
def test_a_domain_without_a_verifier_or_without_fields_is_refused(tmp_path, decorated, said):
    name = f"unjudged_{len(decorated)}"
    (tmp_path / f"{name}.py").write_text(
        "from dataclasses import dataclass\nfrom vlrl.scenes.domain import domain\n"
        f"@domain('{name}', family='test', modality='text')\n{decorated}class Unjudged:\n    pass\n"
    )
    error = refusal(tmp_path, f"{{name: own, kind: domain, domain: {name}}}", more=f"plugins: [{name}.py]\n")
    assert said in error.problem
