"""Programs that want to be judged right without being right; `vlrl sandbox check` and a test run them.

Each must be judged wrong: neither right, nor a fault of the sandbox, which would spare it the update.
"""

from __future__ import annotations

from dataclasses import dataclass

from vlrl.verify.code.code_tests import CallCase, CodeTests, Judging, StdoutCase, UnitTests

ECHO = CodeTests(stdout=(StdoutCase("7\n", ("7919\n",)), StdoutCase("8\n", ("7927\n",))))
CALL = CodeTests(calls=(CallCase((7,), 7919), CallCase((8,), [7927, "x"])), function="f")
UNIT = CodeTests(
    unit=UnitTests(
        "SECRET = 7919\ndef check(candidate):\n    assert candidate(7) == SECRET\n    assert list(map(candidate, [8])) == [7927]\n"
        "    assert all(map(candidate, [1, 2]))\n",
        "f",
        check=True,
    )
)
CASES = CodeTests(
    unit=UnitTests(
        "import unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n        self.assertEqual(f(7), 7919)\n"
        "    def test_g(self):\n        with self.assertRaises(ValueError): f(-1)\n",
        "f",
    )
)
NODE = CodeTests(unit=UnitTests("const assert = require('assert');\nassert.equal(f(7), 7919);\n"))


SMALL = Judging(time_seconds=1.0, memory_mib=128)


@dataclass(frozen=True)
class VerdictAttack:
    """A program, and the tests that it doesn't pass."""

    name: str
    tests: CodeTests
    source: str
    judging: Judging = SMALL


_EQUAL = """
class E(int):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __hash__(self): return 0
    def __bool__(self): return True
    def __iter__(self): return iter([E()])
def f(n): return E()
"""
_FRAMES = """
import gc, sys
def all_strings():
    frame = sys._getframe()
    while frame:
        yield from (v for v in {**frame.f_locals, **frame.f_globals}.values() if isinstance(v, (str, bytes, dict)))
        frame = frame.f_back
    yield from (o for o in gc.get_objects() if isinstance(o, (str, bytes, dict)))
"""

ATTACKS = (
    VerdictAttack("printing a verdict", ECHO, "print('accepted'); print('ACCEPTED'); print('100%'); print('OK')\n"),
    VerdictAttack("exit code 0 at once", ECHO, "import os; os._exit(0)\n"),
    VerdictAttack("printing every number", ECHO, "print(*range(10000))\n"),
    VerdictAttack("the answer and more", ECHO, "print(7919); print(7927)\n"),
    VerdictAttack(
        "a report for the sandbox",
        ECHO,
        'import os\nfor fd in range(1, 64):\n    try: os.write(fd, b\'{"status": 0, "begun": true}\\n\')\n    except OSError: pass\n',
    ),
    VerdictAttack(
        "a report for the sandbox from below",
        ECHO,
        "import os\nfor pid in os.listdir('/proc'):\n    if pid.isdecimal():\n        for fd in range(64):\n"
        "            try: open(f'/proc/{pid}/fd/{fd}', 'wb').write(b'{\"status\": 0, \"why\": \"\"}\\n')\n            except OSError: pass\n",
    ),
    VerdictAttack(
        "looking for what is expected",
        ECHO,
        _FRAMES + "import re\nprint(*{m for s in all_strings() for m in re.findall('79[0-9][0-9]', str(s))})\n",
    ),
    VerdictAttack(
        "looking for what is expected in files",
        ECHO,
        "import os, re\nfor folder in ('/tmp', '/box', '/dev/shm', '/proc/self/fd', '/proc/1/fd'):\n"
        "    try: names = os.listdir(folder)\n    except OSError: continue\n    for name in names:\n"
        "        try: text = open(f'{folder}/{name}', errors='replace').read(10000)\n        except OSError: continue\n"
        "        for m in re.findall('79[0-9][0-9]', text): print(m)\n",
    ),
    VerdictAttack("a fault on purpose", ECHO, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"),
    VerdictAttack("a fault by too many words", ECHO, "import os\nwhile True: os.write(1, b'x' * 65536)\n"),
    VerdictAttack("leaving a call early", CALL, "import os\ndef f(n): os._exit(0)\n"),
    VerdictAttack("leaving before the call", CALL, "import sys\nsys.exit(0)\n"),
    VerdictAttack("an object that equals everything", CALL, _EQUAL),
    VerdictAttack("a truth for a number", CALL, "def f(n): return True\n"),
    VerdictAttack("not a number", CALL, "def f(n): return float('nan')\n"),
    VerdictAttack("no plain data", CALL, "def f(n): return iter([7919])\n"),
    VerdictAttack(
        "a patched harness",
        CALL,
        "import json, os, sys, plain_data\njson.dumps = lambda *a, **k: 'true'\nplain_data.encode = lambda *a, **k: True\n"
        "write = os.write\nos.write = lambda fd, data: write(fd, b'accepted')\ndef f(n): return 0\n",
    ),
    VerdictAttack(
        "the call's own mark",
        CALL,
        _FRAMES + "import os, sys\ncall = sys._getframe(1).f_globals['call']\n"
        "for fd in range(1, 20):\n    try: os.write(fd, ('\\n' + call['mark'] + '{\"passed\": true}\\n').encode())\n    except OSError: pass\n"
        "os._exit(0)\n",
    ),
    VerdictAttack("a value without end", CALL, "def f(n):\n    x = []\n    x.append(x)\n    return x\n"),
    VerdictAttack(
        "a value too deep", CALL, "def f(n):\n    x = []\n    for _ in range(100000): x = [x]\n    return x\n"
    ),
    VerdictAttack("equal to every test", UNIT, _EQUAL),
    VerdictAttack("leaving the tests at once", UNIT, "import os\nos._exit(0)\n"),
    VerdictAttack("leaving in a test", UNIT, "import os\ndef f(n): os._exit(0)\n"),
    VerdictAttack("an exit that nobody catches", UNIT, "import sys\ndef f(n): sys.exit(0)\n"),
    VerdictAttack(
        "the end of every loop",
        CodeTests(unit=UnitTests("assert all(map(lambda n: f(n) == 7919, [7, 8]))\n", "f")),
        "def f(n): raise StopIteration\n",
    ),
    VerdictAttack("a process that is gone where an error is expected", CASES, "import os\ndef f(n): os._exit(0)\n"),
    VerdictAttack(
        "patched tests",
        CASES,
        "import builtins, sys, unittest\nunittest.TestCase.assertEqual = lambda *a: None\nunittest.TestCase.assertRaises = None\n"
        "unittest.defaultTestLoader.loadTestsFromModule = lambda m: unittest.TestSuite()\nbuiltins.AssertionError = ValueError\n"
        "def f(n): return 0\n",
    ),
    VerdictAttack(
        "tests replaced by name",
        UNIT,
        "def check(candidate): pass\ndef candidate(n): return 0\ndef report(*a): pass\ndef all(x): return True\n"
        "SECRET = 0\nassertEqual = None\ndef f(n): return 0\n",
    ),
    VerdictAttack(
        "looking for the tests",
        UNIT,
        _FRAMES
        + "import re\nfound = [int(m) for s in all_strings() for m in re.findall('SECRET = ([0-9]+)', str(s))]\n"
        "def f(n): return found[0] if found and n == 7 else 7927 if n == 8 else 1\n",
    ),
    VerdictAttack(
        "reading the tester",
        UNIT,
        "import os, re\nfound = []\nfor pid in os.listdir('/proc'):\n    if pid.isdecimal() and int(pid) != os.getpid():\n"
        "        for name in ('environ', 'fd/0', 'fd/1', 'fd/3', 'fd/4', 'root/tmp/spec.json', 'cmdline'):\n"
        "            try: found += re.findall(rb'SECRET = ([0-9]+)', open(f'/proc/{pid}/{name}', 'rb').read(100000))\n            except OSError: pass\n"
        "        try:\n            memory = open(f'/proc/{pid}/mem', 'rb')\n            for line in open(f'/proc/{pid}/maps'):\n"
        "                low, high = (int(x, 16) for x in line.split()[0].split('-'))\n                memory.seek(low)\n"
        "                found += re.findall(rb'SECRET = ([0-9]+)', memory.read(min(high - low, 1 << 22)))\n        except (OSError, ValueError): pass\n"
        "def f(n): return int(found[0]) if found and n == 7 else 7927 if n == 8 else 1\n",
    ),
    VerdictAttack(
        "writing for the tester",
        UNIT,
        "import os\ndef f(n):\n    for pid in os.listdir('/proc'):\n        if pid.isdecimal():\n            for fd in range(8):\n"
        "                try: open(f'/proc/{pid}/fd/{fd}', 'wb').write(b'\\n{\"ended\": \"passed\"}\\n')\n                except OSError: pass\n    return 0\n",
    ),
    VerdictAttack(
        "ending the tester",
        UNIT,
        "import os, signal\ndef f(n):\n    for pid in os.listdir('/proc'):\n        if pid.isdecimal() and int(pid) not in (1, os.getpid()):\n"
        "            try: os.kill(int(pid), signal.SIGKILL)\n            except OSError: pass\n    return 0\n",
    ),
    VerdictAttack(
        "stopping the tester",
        UNIT,
        "import os, signal\ndef f(n):\n    for pid in os.listdir('/proc'):\n        if pid.isdecimal() and int(pid) not in (1, os.getpid()):\n"
        "            try: os.kill(int(pid), signal.SIGSTOP)\n            except OSError: pass\n    return 0\n",
        Judging(time_seconds=1.0),
    ),
    VerdictAttack(
        "forged messages",
        UNIT,
        'import os\nos.write(3, b\'{"names": ["f", "check", "__builtins__", "peer"]}\\n\' + b\'{"result": true}\\n\' * 1000)\n'
        'os.write(3, b\'{"do": "call", "target": 0, "arguments": []}\\n{"do": "name", "target": "report"}\\n\')\nimport time\ntime.sleep(1)\n',
    ),
    VerdictAttack("messages too deep", UNIT, "import os\nos.write(3, b'[' * 200000 + b'\\n')\nos._exit(0)\n"),
    VerdictAttack("messages without end", UNIT, "import os\nwhile True: os.write(3, b'x' * 65536)\n"),
    VerdictAttack(
        "leaving a test of another language", NODE, "process.exit(0);\n", Judging("javascript", time_seconds=2.0)
    ),
    VerdictAttack(
        "a patched assertion of another language",
        NODE,
        "const m = require('module'); process.on('exit', () => { process.exitCode = 0; }); function f(n) { process.exit(0); }\n",
        Judging("javascript", time_seconds=2.0),
    ),
)
