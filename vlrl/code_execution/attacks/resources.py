"""Attacks on time, memory, disk and everything else that a machine has little of."""

from __future__ import annotations

from vlrl.code_execution.attacks.attack import FAILURES, Attack
from vlrl.code_execution.outcome import Ended

TIME: frozenset[Ended] = frozenset(("time_limit",))
MEMORY: frozenset[Ended] = frozenset(("memory_limit", "runtime_error", "time_limit"))
NO_COMPILER: frozenset[Ended] = frozenset(("compile_error",))


def _attack(name: str, source: str, language: str = "python", may_end: frozenset[Ended] | None = None) -> Attack:
    return Attack(name, "resources", language, source, FAILURES | {"finished"} if may_end is None else may_end)


ATTACKS = (
    _attack(
        "fork bomb",
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n",
        may_end=TIME,
    ),
    _attack("fork bomb in a shell", "bomb() { bomb | bomb & }; bomb; while :; do :; done\n", "bash", FAILURES),
    _attack(
        "more processes than allowed",
        "import os, time\ncount = 0\nwhile count < 200:\n    try:\n        if os.fork() == 0: time.sleep(2); os._exit(0)\n"
        "        count += 1\n    except OSError: break\nif count > 100: print('BREACH', count)\n",
    ),
    _attack(
        "thread bomb",
        "import threading, time\ncount = 0\ntry:\n    while count < 500:\n        threading.Thread(target=time.sleep, "
        "args=(2,), daemon=True).start(); count += 1\nexcept RuntimeError: pass\nif count > 200: print('BREACH', count)\n",
    ),
    _attack("memory bomb", "x = []\nwhile True: x.append(bytearray(1 << 20))\n", may_end=MEMORY),
    _attack(
        "memory bomb that catches its error",
        "x = []\nwhile True:\n    try: x.append(bytearray(1 << 22))\n    except MemoryError: pass\n",
        may_end=MEMORY,
    ),
    _attack(
        "memory spread over processes",
        "import os, time\nfor _ in range(16):\n    if os.fork() == 0:\n        x = bytearray(b'x') * (80 << 20)\n"
        "        time.sleep(30)\ntime.sleep(2.5)\nprint('BREACH: 1.2 GB were held')\n",
        may_end=MEMORY,
    ),
    _attack(
        "shared memory",
        "import mmap\nx = []\nwhile True:\n    m = mmap.mmap(-1, 1 << 22); m.write(b'x' * (1 << 22)); x.append(m)\n",
        may_end=MEMORY,
    ),
    _attack(
        "memory in files of memory",
        "import os\nx = []\nfor i in range(64):\n    f = os.memfd_create('x'); os.write(f, b'x' * (1 << 20)); x.append(f)\n"
        "print('BREACH', len(x), 'MB')\n",
        may_end=FAILURES,
    ),
    _attack(
        "memory bomb in C++",
        "#include <vector>\n#include <cstring>\nint main() { std::vector<char*> v; while (true) {"
        " char* p = new char[1 << 22]; memset(p, 1, 1 << 22); v.push_back(p); } }\n",
        "cpp",
        MEMORY,
    ),
    _attack(
        "memory bomb in JavaScript",
        "const x = []; while (true) x.push(Buffer.alloc(1 << 22, 1));\n",
        "javascript",
        MEMORY,
    ),
    _attack(
        "memory bomb in Java",
        "import java.util.*; public class Main { public static void main(String[] a) { List<byte[]> x = new ArrayList<>();"
        " while (true) x.add(new byte[1 << 22]); } }\n",
        "java",
        MEMORY,
    ),
    _attack(
        "disk fill",
        "n = 0\ntry:\n    for i in range(100):\n        with open(f'/tmp/{i}', 'wb') as f: f.write(b'x' * (1 << 20)); n += 1\n"
        "except OSError: pass\nif n > 20: print('BREACH', n, 'MB')\n",
    ),
    _attack(
        "disk fill with names",
        "n = 0\ntry:\n    for i in range(20000): open(f'/tmp/{i}', 'w').close(); n += 1\nexcept OSError: pass\n"
        "if n > 10000: print('BREACH', n, 'files')\n",
    ),
    _attack(
        "disk fill of shared memory",
        "n = 0\ntry:\n    for i in range(100):\n        with open(f'/dev/shm/{i}', 'wb') as f: f.write(b'x' * (1 << 20)); n += 1\n"
        "except OSError: pass\nif n > 20: print('BREACH', n, 'MB')\n",
    ),
    _attack(
        "a huge sparse file",
        "f = open('/tmp/x', 'wb')\ntry: f.truncate(1 << 40); print('BREACH')\nexcept OSError: pass\n",
    ),
    _attack("output flood", "while True: print('x' * 100000)\n", may_end=FAILURES),
    _attack(
        "output flood on the error stream", "import os\nwhile True: os.write(2, b'x' * 100000)\n", may_end=FAILURES
    ),
    _attack("output flood in a shell", "yes\n", "bash", FAILURES),
    _attack("endless loop", "while True: pass\n", may_end=TIME),
    _attack("endless loop in C++", "int main() { volatile int i = 0; while (true) i = i + 1; }\n", "cpp", TIME),
    _attack("endless loop in JavaScript", "for (;;) {}\n", "javascript", TIME),
    _attack(
        "every signal ignored",
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except (OSError, ValueError): pass\n"
        "while True: pass\n",
        may_end=TIME,
    ),
    _attack("sleep past the limit", "import time\ntime.sleep(100)\nprint('BREACH')\n", may_end=TIME),
    _attack(
        "waiting for what never comes",
        "import threading\nthreading.Lock().acquire()\nthreading.Event().wait()\n",
        may_end=TIME,
    ),
    _attack(
        "children that compute while the parent sleeps",
        "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        while True: pass\ntime.sleep(100)\n",
        may_end=TIME,
    ),
    _attack(
        "limits raised again",
        "import resource as r\nfor name in ('RLIMIT_CPU', 'RLIMIT_NPROC', 'RLIMIT_FSIZE', 'RLIMIT_AS', 'RLIMIT_NOFILE'):\n"
        "    k = getattr(r, name); old = r.getrlimit(k)\n    try:\n        r.setrlimit(k, (r.RLIM_INFINITY, r.RLIM_INFINITY))\n"
        "        if old != (r.RLIM_INFINITY, r.RLIM_INFINITY): print('BREACH', name)\n    except (OSError, ValueError): pass\n",
    ),
    _attack(
        "a better place in the queue",
        "import os\ntry: os.nice(-10); print('BREACH: nice')\nexcept OSError: pass\n"
        "try: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10)); print('BREACH: realtime')\nexcept OSError: pass\n",
    ),
    _attack(
        "all descriptors",
        "import os\nx = []\ntry:\n    while len(x) < 5000: x.append(os.open('/dev/null', 0))\nexcept OSError: pass\n"
        "if len(x) > 1000: print('BREACH', len(x))\n",
    ),
    _attack(
        "deep recursion",
        "import sys\nsys.setrecursionlimit(10 ** 9)\ndef f(n): return f(n + 1) + 1\nf(0)\n",
        may_end=FAILURES,
    ),
    _attack(
        "deep recursion in C++",
        "int f(volatile int n) { volatile char a[1000]; a[0] = n; return f(n + 1) + a[0]; }\nint main() { return f(0); }\n",
        "cpp",
        FAILURES,
    ),
    _attack("one endless call of C", "import re\nre.match('(a+)+$', 'a' * 40 + 'b')\n", may_end=TIME),
    _attack("a program too deep to be read", "x = " + "(" * 5000 + ")" * 5000 + "\n", may_end=FAILURES),
    _attack(
        "a compilation without end",
        "template <int N, int M> struct F { static const int v = F<N - 1, M>::v + F<N - 1, M + (1 << (N % 30))>::v; };\n"
        "template <int M> struct F<0, M> { static const int v = M; };\nint main() { return F<28, 0>::v & 1; }\n",
        "cpp",
        NO_COMPILER,
    ),
    _attack(
        "a compilation that writes gigabytes",
        "int x[1 << 29] = {1};\nint main() { return x[0]; }\n",
        "cpp",
        NO_COMPILER,
    ),
)
