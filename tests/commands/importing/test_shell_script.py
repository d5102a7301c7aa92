"""Shell scripts are read, never run: words, variables, arithmetic, comments, quotes."""

from __future__ import annotations

import pytest

from vlrl.commands.importing.shell_script import commands_of


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("run a=1 b=2", ["run", "a=1", "b=2"]),
        ("run \\\n  a=1 \\\n  # said within\n  b=2", ["run", "a=1", "b=2"]),
        ("n=3\nrun a=$n b=${n} c=${m:-4} d=$((n * 1024))", ["run", "a=3", "b=3", "c=4", "d=3072"]),
        ("n=2\nm=$((n + 1))\nrun a=$((m ** 2 - 1))", ["run", "a=8"]),
        ("run a=$HOME/x b=${1:-vllm} c=$1", ["run", "a=${HOME}/x", "b=vllm", "c="]),
        ('P=${P:-"${Q:-deep}/x"}\nrun a=$P', ["run", "a=deep/x"]),
        ("run --data rows#1000 # a comment", ["run", "--data", "rows#1000"]),
        ("S='two\n# lines'\nrun --system \"$S\"", ["run", "--system", "two\n# lines"]),
        ("run a='{\"n\": 1}'", ["run", 'a={"n": 1}']),
        ("export K=7 && run a=$K; rm -rf /", ["run", "a=7"]),
    ],
)
def test_words_of_the_first_command(script, words):
    assert list(commands_of(script)[0].words) == words


def test_variables_before_a_command_are_its_own():
    first, second = commands_of("A=1 run x\nB=2\nrun y")
    assert first.variables == {"A": "1"}
    assert second.variables == {"B": "2"}


@pytest.mark.parametrize("script", ["run a=$(date +%s)", "run a=$((x / 0))", "run a=$((2 ** 9999))", "run a=$((f()))"])
def test_what_a_shell_would_have_to_run_stays_as_it_stands(script):
    assert "$(" in commands_of(script)[0].words[1]


def test_an_open_quote_is_an_error():
    with pytest.raises(ValueError, match="quotation"):
        commands_of("run a='x")
