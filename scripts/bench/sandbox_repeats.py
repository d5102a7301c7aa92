"""Are verdicts of the sandbox repeatable? The same mixed programs twice, the second time beside load.

    python scripts/bench/sandbox_repeats.py [--programs 1000] [--seed 0] [--beside 2] [--json]

Programs of every language whose toolchain this host has, in turn: right, wrong, wrong in one case, ones that don't
compile or end with an error, and ones that never end. While the second run goes on, --beside processes keep processors
busy. Printed are the kinds of verdict, those that differ between the runs, and programs a second.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from vlrl.code_execution.box_pool import BoxPool
from vlrl.code_execution.languages import LANGUAGES
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings
from vlrl.seeding import stream
from vlrl.verify.code.code_tests import CodeTests, Judging, StdoutCase
from vlrl.verify.code.run_tests import run_tests

# reads one number n and prints the result of {} on it
FRAMES = {
    "python": "n = int(input())\n{before}\nprint({value})\n",
    "cpp": "#include <iostream>\n"
    "int main() {{ long long n; std::cin >> n; {before}; std::cout << {value} << '\\n'; }}\n",
    "java": "import java.util.*;\npublic class Main {{ public static void main(String[] a) {{"
    " long n = new Scanner(System.in).nextLong(); {before}; System.out.println({value}); }} }}\n",
    "javascript": "const n = Number(require('fs').readFileSync(0, 'utf8'));\n{before};\nconsole.log({value});\n",
    "typescript": "declare const require: any;\n"
    "const n: number = Number(require('fs').readFileSync(0, 'utf8'));\n{before};\nconsole.log({value});\n",
    "csharp": "using System;\nclass P {{ static void Main() {{ long n = long.Parse(Console.ReadLine());"
    " {before}; Console.WriteLine({value}); }} }}\n",
    "php": '<?php\n$n = intval(trim(fgets(STDIN)));\n{before};\necho {value}, "\\n";\n',
    "bash": "read n\n{before}\necho $(({value}))\n",
}
ENDLESS = {"python": "while True: pass", "java": "while (n > -1) n = 1", "bash": "while true; do :; done"}
ERROR = {
    "python": "raise ValueError(n)",
    "cpp": "__builtin_trap()",
    "java": "if (n > -1) throw new RuntimeException()",
    "csharp": "if (n > -1) throw new Exception()",
    "php": "throw new Exception()",
    "bash": "exit 3",
}
KINDS = ("right", "right", "right", "wrong", "wrong in one case", "no program", "error", "endless")


def programs(count: int, languages: Sequence[str], seed: int) -> list[tuple[str, str, CodeTests]]:
    """(language, source, tests), in turn over languages and kinds; endless ones are one in forty."""
    drawn = []
    for number in range(count):
        rng = stream(seed, "sandbox repeats", number)
        language = languages[number % len(languages)]
        kind = KINDS[(number // len(languages)) % len(KINDS)]
        if kind == "endless" and rng.random() > 0.2:
            kind = "right"
        a, b = (int(one) for one in rng.integers(2, 100, 2))
        inputs = [int(one) for one in rng.integers(1, 1000, 2)]
        drawn.append((language, source_of(language, kind, a, b, inputs), tests_of(a, b, inputs)))
    return drawn


def source_of(language: str, kind: str, a: int, b: int, inputs: Sequence[int]) -> str:
    """A program that should print n × a + b."""
    n = "$n" if language == "php" else "n"
    before = {"python": "pass", "bash": ":"}.get(language, "")
    value = f"{n} * {a} + {b}"
    if kind == "wrong":
        value = f"{n} * {a} - {b}"
    elif kind == "wrong in one case":
        value = f"{n} * {a} + {b} + ({n} - {inputs[0]})"
    elif kind == "error":
        before = ERROR.get(language, "throw new Error()")
    elif kind == "endless":
        before = ENDLESS.get(
            language, "while (true) {}" if language != "cpp" else "for (volatile int i = 0;; i = 1) {}"
        )
    source = FRAMES[language].format(before=before, value=value)
    return source.replace("(", "((", 1) if kind == "no program" else source


def tests_of(a: int, b: int, inputs: Sequence[int]) -> CodeTests:
    """What each input gives."""
    return CodeTests(stdout=tuple(StdoutCase(f"{n}\n", (f"{n * a + b}\n",)) for n in inputs))


def judged(pool: BoxPool, drawn: Sequence[tuple[str, str, CodeTests]]) -> tuple[list[tuple[str, int]], float]:
    """Result and failing case of each program, and seconds."""

    def one(program: tuple[str, str, CodeTests]) -> tuple[str, int]:
        language, source, tests = program
        report = run_tests(pool, source, tests, Judging(language=language))
        return report.result, report.failed

    begun = time.monotonic()
    with ThreadPoolExecutor(pool.settings.count) as executor:
        found = list(executor.map(one, drawn))
    return found, time.monotonic() - begun


def busy() -> None:
    """Keeps a processor at work, and memory moving."""
    while True:
        np.random.default_rng(0).random((400, 400)) @ np.ones((400, 400))


def main() -> None:
    """Prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--beside", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    pool = BoxPool(SandboxSettings(limits=Limits(cpu_seconds=2.0)))
    missing = pool.missing()
    languages = [name for name in LANGUAGES if name not in missing]
    drawn = programs(asked.programs, languages, asked.seed)
    beside = [multiprocessing.Process(target=busy, daemon=True) for _ in range(asked.beside)]
    try:
        first, alone = judged(pool, drawn)
        for process in beside:
            process.start()
        second, loaded = judged(pool, drawn)
    finally:
        for process in beside:
            if process.is_alive():
                process.terminate()
        pool.close()
    differ = [
        {"number": i, "language": drawn[i][0], "first": list(a), "beside load": list(b)}
        for i, (a, b) in enumerate(zip(first, second, strict=True))
        if a != b
    ]
    found = {
        "programs": len(drawn),
        "languages": dict(Counter(language for language, _, _ in drawn)),
        "missing": sorted(missing),
        "verdicts": dict(Counter(result for result, _ in first)),
        "differ": differ,
        "programs_per_second": [round(len(drawn) / alone, 1), round(len(drawn) / loaded, 1)],
        "beside": asked.beside,
    }
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name.replace('_', ' ')}: {value}")


if __name__ == "__main__":
    main()
