"""Program and unit tests as one program, for languages whose tests stand behind what they test (MultiPL-E).

A completion that a model writes in a chat is whole; MultiPL-E's tests go on where a completion stops, inside of the
function and of its class. So as many closing braces are taken off the program's end as the tests close too many.
The last thing that the tests do is to print a mark, so that a program that ends early has passed nothing.
"""

from __future__ import annotations

import re

from vlrl.verify.code.code_tests import UnitTests

_LAST_BRACE = re.compile(r"\}\s*\Z")
_QUOTED = re.compile(r""" "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' """, re.VERBOSE)  # whose braces close nothing
_PRINT = {
    "python": "print('{mark}')",
    "cpp": 'std::printf("%s\\n", "{mark}");',
    "java": 'System.out.println("{mark}");',
    "csharp": 'System.Console.WriteLine("{mark}");',
    "javascript": "console.log('{mark}');",
    "typescript": "console.log('{mark}');",
    "php": "echo '{mark}', PHP_EOL;",
    "bash": "echo {mark}",
}
_INSIDE = {"cpp": 1, "java": 2, "csharp": 2}  # braces between the end of main and the end of the file


def assembled(language: str, source: str, unit: UnitTests, mark: str) -> str:
    """The program that is run: what the question gave, the program, the tests, and the mark."""
    body = source
    bare = _QUOTED.sub("", unit.tests)
    for _ in range(max(0, bare.count("}") - bare.count("{"))):
        body = _LAST_BRACE.sub("", body.rstrip())
    prelude = _missing_lines(unit.prelude, source)
    tests = unit.tests
    if language == "python" and unit.check:
        tests += f"\ncheck({unit.entry})\n"
    said = _PRINT[language].replace("{mark}", mark)
    inside = _INSIDE.get(language, 0)
    if inside:
        end = len(tests)
        for _ in range(inside):
            end = tests.rfind("}", 0, end)
        tests = f"{tests[:end]}{said}\n{tests[end:]}" if end >= 0 else tests
        head = "#include <cstdio>\n" if language == "cpp" else ""
        return f"{head}{prelude}{body}\n{tests}\n"
    if language == "php" and prelude.lstrip().startswith("<?php"):
        body = body.replace("<?php", "", 1)
    return f"{prelude}{body}\n{tests}\n{said}\n"


def _missing_lines(prelude: str, source: str) -> str:
    """Lines of the prelude (imports, includes) that the program doesn't have itself."""
    held = {line.strip() for line in source.splitlines()}
    lines = [line for line in prelude.splitlines() if line.strip() and line.strip() not in held]
    return "".join(f"{line}\n" for line in lines)
