"""The eight languages: a table of what is installed for them, compiled and run. One that is missing is named.

Memory is limited by what the kernel counts for a process: its address space, or, for runtimes that reserve more than
they use (Java, JavaScript, C#), its writable data.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vlrl.errors import ConfigError, did_you_mean

_PUBLIC_CLASS = re.compile(
    r"^\s*public\s+(?:final\s+|abstract\s+)*(?:class|record|enum|interface)\s+(\w+)", re.MULTILINE
)
_ANY_CLASS = re.compile(r"\b(?:class|record|enum|interface)\s+(\w+)")
_MODULE = re.compile(r"^\s*(?:import\b(?!\s*\()|export\b)", re.MULTILINE)


@dataclass(frozen=True)
class Language:
    """How programs of one language come to run.

    needs      programs that must be on the host's path
    package    what to install (Debian), for the message where one is missing
    compiler   command line, {name} is the file and {memory} MiB; empty: nothing is compiled
    runner     command line; empty: it continues in the box's own interpreter
    keep       files that a compilation leaves: names, or ends of names with a dot
    reserves   whether the runtime reserves address space that it doesn't use
    overhead_mib  what the runtime itself takes besides the program's memory
    threads    of the runtime itself
    """

    name: str
    needs: tuple[str, ...]
    package: str
    suffix: str
    compiler: tuple[str, ...] = ()
    runner: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    reserves: bool = False
    overhead_mib: int = 32
    threads: int = 0

    def file_of(self, source: str) -> str:
        """The name that the source has to have."""
        if self.name == "java":
            return f"{main_class(source)}.java"
        if self.name == "javascript" and _MODULE.search(source) and "require(" not in source:
            return "main.mjs"
        return f"main{self.suffix}"

    def missing(self) -> tuple[str, ...]:
        """What it needs and the host lacks."""
        return tuple(program for program in self.needs if shutil.which(program) is None)

    def command(self, line: tuple[str, ...], name: str, memory_mib: int) -> list[str]:
        """A command line of the table for one file, its program as an absolute path. Raises ConfigError."""
        if missing := self.missing():
            raise ConfigError(
                "sandbox", f"{self.name} needs {', '.join(missing)}", f"apt-get install {self.package}, or leave it out"
            )
        if line == _TYPESCRIPT and not Path(_typescript()).is_file():
            line = _TYPESCRIPT_7
        words = [
            word.format(name=name, stem=Path(name).stem, memory=memory_mib, typescript=_typescript()) for word in line
        ]
        found = shutil.which(words[0]) if "/" not in words[0] else words[0]
        return [found or words[0], *words[1:]]


def main_class(source: str) -> str:
    """The class that a Java file is named after: the public one, or the last that is opened before `main`."""
    public = _PUBLIC_CLASS.search(source)
    if public is not None:
        return public[1]
    before = source[: max(0, source.find("void main"))] or source
    classes = _ANY_CLASS.findall(before)
    return classes[-1] if classes else "Main"


# type errors don't stop a program, syntax errors do
_TRANSPILE = (
    'const ts = require("{typescript}"), fs = require("fs");'
    'const out = ts.transpileModule(fs.readFileSync("{name}", "utf8"), {{reportDiagnostics: true,'
    "compilerOptions: {{target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS}}}});"
    "for (const d of out.diagnostics) console.error(ts.flattenDiagnosticMessageText(d.messageText, '\\n'));"
    'if (out.diagnostics.length) process.exit(1); fs.writeFileSync("main.js", out.outputText);'
)

_TYPESCRIPT = ("node", "-e", _TRANSPILE)
# from 7 on the compiler is a native program without a library for node
_TYPESCRIPT_7 = ("tsc", "--ignoreConfig", "--noCheck", "--target", "es2022", "--module", "commonjs", "{name}")

_JAVAC = ("-J-Xmx512m", "-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1", "-proc:none", "-nowarn")
_JAVA = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-XX:ReservedCodeCacheSize=64m")

LANGUAGES: Mapping[str, Language] = {
    language.name: language
    for language in (
        Language("python", (), "python3", ".py"),
        Language(
            "cpp",
            ("g++",),
            "g++",
            ".cpp",
            ("g++", "-std=gnu++20", "-O2", "-o", "main", "{name}"),
            ("./main",),
            ("main",),
        ),
        Language(
            "java",
            ("javac", "java"),
            "default-jdk-headless",
            ".java",
            ("javac", *_JAVAC, "-encoding", "UTF-8", "{name}"),
            ("java", "-Xmx{memory}m", "-Xss64m", *_JAVA, "-ea", "-cp", ".", "{stem}"),
            (".class",),
            reserves=True,
            overhead_mib=512,
            threads=32,
        ),
        Language(
            "javascript",
            ("node",),
            "nodejs",
            ".js",
            (),
            ("node", "--max-old-space-size={memory}", "--stack-size=8000", "{name}"),
            reserves=True,
            overhead_mib=384,
            threads=16,
        ),
        Language(
            "typescript",
            ("node", "tsc"),
            "node-typescript",
            ".ts",
            _TYPESCRIPT,
            ("node", "--max-old-space-size={memory}", "--stack-size=8000", "main.js"),
            ("main.js",),
            reserves=True,
            overhead_mib=384,
            threads=16,
        ),
        Language(
            "csharp",
            ("mcs", "mono"),
            "mono-mcs",
            ".cs",
            ("mcs", "-optimize+", "-nowarn:0", "-out:main.exe", "{name}"),
            ("mono", "main.exe"),
            ("main.exe",),
            reserves=True,
            overhead_mib=384,
            threads=16,
        ),
        Language("php", ("php",), "php-cli", ".php", (), ("php", "-d", "memory_limit={memory}M", "{name}")),
        Language("bash", ("bash",), "bash", ".sh", (), ("bash", "{name}")),
    )
}
ALIASES = {
    "py": "python", "python3": "python", "c++": "cpp", "cc": "cpp", "cxx": "cpp", "js": "javascript",
    "node": "javascript", "nodejs": "javascript", "ts": "typescript", "c#": "csharp", "cs": "csharp", "sh": "bash",
    "shell": "bash",
}  # fmt: skip


def language_of(name: str) -> Language:
    """The language of this name, also of another usual one. Raises ConfigError with the closest known name."""
    known = name.strip().lower()
    known = ALIASES.get(known, known)
    if known not in LANGUAGES:
        raise ConfigError("language", f"unknown language {name!r}", did_you_mean(known, LANGUAGES))
    return LANGUAGES[known]


def toolchain_folders() -> list[str]:
    """Folders outside of the system's own that hold a toolchain: they are shown to programs, for reading alone."""
    found = []
    for language in LANGUAGES.values():
        for program in language.needs:
            path = shutil.which(program)
            if path is not None:
                found += [str(place) for place in _outside(Path(path))]
    return sorted(set(found))


SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/lib32")


def _outside(program: Path) -> list[Path]:
    """The installation folders (above bin/) of a program and of what it links to, unless they are the system's."""
    places = {program.parent.parent, program.resolve().parent.parent}
    return [place for place in places if not str(place).startswith(SYSTEM) and len(place.parts) > 2]


def _typescript() -> str:
    """The folder of the compiler's library."""
    program = shutil.which("tsc")
    return "" if program is None else str(Path(program).resolve().parent.parent / "lib" / "typescript.js")


def host_is_missing() -> dict[str, str]:
    """Language → what it lacks here, with the package that brings it."""
    return {
        language.name: f"{', '.join(missing)} (Debian package {language.package})"
        for language in LANGUAGES.values()
        if (missing := language.missing())
    }
