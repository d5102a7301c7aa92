"""Runs inside of the sandbox as the first role: executes tests on what the second role lends.

The tests never leave this process, whose memory is shut to the program. It says how they ended by a line with the mark
on its own standard output, which the program doesn't have.
"""

import builtins
import json
import os
import socket
import sys
import types

from peer import Gone, Peer  # type: ignore[import-not-found]

spec = json.loads(held["spec.json"])  # type: ignore[name-defined]  # noqa: F821
peer = Peer(socket.socket(fileno=3), generous=False)


def report(ended: str, text: str = "") -> None:
    """Says how it ended, and ends."""
    if peer.gone and ended == "passed":
        ended, text = "runtime_error", f"the program is gone: {peer.gone}"
    os.write(1, f"\n{spec['mark']}{json.dumps({'ended': ended, 'text': text[:500]})}\n".encode())
    os._exit(0)


def line_of(error: BaseException, source: str) -> str:
    """The line of the tests at which an error arose."""
    number, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "tests.py":
            number = trace.tb_lineno
        trace = trace.tb_next
    lines = source.splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


try:
    begun = peer.receive()
except Gone:
    report("runtime_error", "it ended before it was called")
if "broken" in begun:
    ended = "compile_error" if begun["broken"] == "compile_error" else "runtime_error"
    report(ended, str(begun.get("text", "")))
source = spec["tests"]
module = types.ModuleType("solution")
tests = types.ModuleType("__main__")
offered = [name for name in begun.get("names", []) if isinstance(name, str) and name.isidentifier()]
lent = {}
for name in offered:
    # a program's names don't replace what the tests use of Python
    if not hasattr(builtins, name):
        try:
            lent[name] = peer.ask("name", name)
        except Gone:
            report("runtime_error", "it ended before it was called")
        except Exception:
            continue
module.__dict__.update(lent)
tests.__dict__.update(lent)
entry = spec.get("entry")
if entry and entry not in lent:
    report("runtime_error", f"the program has no {entry!r}")
if entry:
    tests.__dict__["candidate"] = lent[entry]
sys.modules["solution"] = module
sys.modules["__main__"] = tests
sys.stdout = sys.stderr
try:
    exec(compile(spec.get("prelude", ""), "prelude.py", "exec", dont_inherit=True), tests.__dict__)
    exec(compile(source, "tests.py", "exec", dont_inherit=True), tests.__dict__)
    if spec.get("call_check"):
        tests.__dict__["check"](lent[entry])
    if spec.get("unittest"):
        import unittest

        outcome = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(
            unittest.defaultTestLoader.loadTestsFromModule(tests)
        )
        if outcome.testsRun == 0:
            report("no_tests", "the tests hold no test case")
        if not outcome.wasSuccessful():
            first = (outcome.failures + outcome.errors)[0]
            report("wrong", f"{first[0]}: {first[1].strip().splitlines()[-1]}")
except Gone as error:
    report("runtime_error", str(error))
except AssertionError as error:
    report("wrong", line_of(error, source) or str(error))
except BaseException as error:
    report("wrong", f"{type(error).__name__}: {error} at {line_of(error, source)}")
report("passed")
