"""Attacks on other processes, on the network, and on rights."""

from __future__ import annotations

from vlrl.code_execution.attacks.attack import FAILURES, Attack
from vlrl.code_execution.outcome import Ended

_CALLS = """
import ctypes, os, platform
libc = ctypes.CDLL(None, use_errno=True)
"""


def _attack(
    name: str,
    source: str,
    language: str = "python",
    kind: str = "processes",
    after: str = "",
    may_end: frozenset[Ended] = FAILURES | {"finished"},
) -> Attack:
    return Attack(name, kind, language, source, may_end, after)


_CONNECT = """
import socket
def reach(family, kind, address):
    try:
        s = socket.socket(family, kind); s.settimeout(1); s.connect(address); s.send(b"x"); print("BREACH", address)
    except OSError: pass
"""

ATTACKS = (
    _attack(
        "loopback", _CONNECT + "reach(socket.AF_INET, socket.SOCK_STREAM, ('127.0.0.1', @port@))\n", kind="network"
    ),
    _attack("outside", _CONNECT + "reach(socket.AF_INET, socket.SOCK_STREAM, ('1.1.1.1', 53))\n", kind="network"),
    _attack("a name server", _CONNECT + "reach(socket.AF_INET, socket.SOCK_DGRAM, ('8.8.8.8', 53))\n", kind="network"),
    _attack(
        "an abstract socket",
        _CONNECT + "reach(socket.AF_UNIX, socket.SOCK_STREAM, '\\0@abstract@')\n",
        kind="network",
    ),
    _attack(
        "raw and kernel sockets",
        "import socket\nfor family, kind, what in ((socket.AF_INET, socket.SOCK_RAW, 1), (16, socket.SOCK_RAW, 0), (17, socket.SOCK_RAW, 0)):\n"
        "    try: socket.socket(family, kind, what); print('BREACH', family)\n    except OSError: pass\n",
        kind="network",
    ),
    _attack(
        "loopback, from JavaScript",
        "const s = require('net').connect(@port@, '127.0.0.1', () => { console.log('BREACH'); process.exit(); });\n"
        "s.on('error', () => process.exit(1));\n",
        "javascript",
        "network",
    ),
    _attack("loopback, from a shell", "exec 3<>/dev/tcp/127.0.0.1/@port@ && echo BREACH\n", "bash", "network"),
    _attack(
        "another priority of its own",
        "import os\n"
        "for deed in (\n"
        "    lambda: os.nice(19), lambda: os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0)),\n"
        "    lambda: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}),\n"
        "):\n"
        "    try: deed(); print('BREACH')\n"
        "    except OSError: pass\n",
    ),
    _attack(
        "limits of process 1",
        "import os, resource\n"
        "for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS):\n"
        "    try: resource.prlimit(1, limit, (0, 0)); print('BREACH')\n"
        "    except OSError: pass\n",
    ),
    _attack(
        "a meeting place for two programs",
        "import socket, os\ntry: socket.socket(socket.AF_UNIX).bind('\\0meeting'); print('BREACH')\nexcept OSError: pass\n",
        kind="network",
    ),
    _attack(
        "tracing the parent",
        _CALLS + "for pid in (os.getppid(), 1, @trainer@, @victim@):\n"
        "    if libc.ptrace(16, pid, 0, 0) == 0: print('BREACH', pid)\n",
    ),
    _attack(
        "reading another process",
        _CALLS
        + "buffer = ctypes.create_string_buffer(16)\nclass V(ctypes.Structure): _fields_ = [('b', ctypes.c_void_p), ('l', ctypes.c_size_t)]\n"
        "mine = V(ctypes.addressof(buffer), 16)\nfor pid in (1, os.getppid(), @victim@):\n"
        "    if libc.process_vm_readv(pid, ctypes.byref(mine), 1, ctypes.byref(V(0x400000, 16)), 1, 0) > 0: print('BREACH', pid)\n"
        "    if ctypes.get_errno() not in (1, 38): print('BREACH errno', ctypes.get_errno())\n",
    ),
    _attack(
        "killing the parent and all others",
        "import os, signal\nfor s in (signal.SIGKILL, signal.SIGSTOP, signal.SIGINT, signal.SIGTERM):\n"
        "    for pid in (os.getppid(), 1, @trainer@, @victim@):\n        try: os.kill(pid, s)\n        except OSError: pass\n"
        "try: os.kill(-1, signal.SIGTERM)\nexcept OSError: pass\nprint('still here')\n",
        after="print('the box lives')\n",
    ),
    _attack(
        "a process left behind",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(1000)\n    os._exit(0)\n",
        after="import os\nif len([p for p in os.listdir('/proc') if p.isdecimal()]) > 2: print('BREACH')\n",
    ),
    _attack(
        "a process left behind by a shell",
        "(setsid nohup sleep 1000 >/dev/null 2>&1 &)\nexit 0\n",
        "bash",
        after="import os\nif len([p for p in os.listdir('/proc') if p.isdecimal()]) > 2: print('BREACH')\n",
    ),
    _attack(
        "output after the end",
        "import os, time\nif os.fork() == 0:\n    time.sleep(0.5)\n    os.write(1, b'BREACH: still writing')\nelse:\n    os._exit(0)\n",
        after="import time\ntime.sleep(0.7)\n",
    ),
    _attack(
        "becoming root",
        "import os\nfor call in (os.setuid, os.seteuid, os.setgid, os.setegid):\n    try: call(0); print('BREACH', call)\n    except OSError: pass\n"
        "try: os.setgroups([0]); print('BREACH groups')\nexcept OSError: pass\n",
        kind="rights",
    ),
    _attack(
        "programs with the rights of root",
        "for p in su sudo mount umount newgrp chsh passwd pkexec; do out=$(timeout 1 $p -c 'id -u' root </dev/null 2>/dev/null); [ \"$out\" = 0 ] && echo BREACH $p; done\n"
        "[ \"$(id -u)\" = 0 ] && echo BREACH; cp /bin/bash /tmp/b && chmod u+s /tmp/b && /tmp/b -p -c '[ $(id -u) = 0 ] && echo BREACH'; exit 0\n",
        "bash",
        "rights",
    ),
    _attack(
        "capabilities",
        "import re\nfor name, value in re.findall(r'(Cap\\w+):\\s*(\\w+)', open('/proc/self/status').read()):\n"
        "    if int(value, 16): print('BREACH', name, value)\nif 'NoNewPrivs:\\t1' not in open('/proc/self/status').read(): print('BREACH')\n",
        kind="rights",
    ),
    _attack(
        "mounts",
        _CALLS
        + "for source, target, kind, flags in ((b'tmpfs', b'/tmp', b'tmpfs', 0), (b'proc', b'/proc', b'proc', 0), (b'/', b'/tmp', None, 4096), (b'none', b'/', None, 32)):\n"
        "    if libc.mount(source, target, kind, flags, None) == 0: print('BREACH', target)\n"
        "if libc.umount2(b'/proc', 2) == 0: print('BREACH umount')\n",
        kind="rights",
    ),
    _attack(
        "new namespaces",
        _CALLS + "for flag in (0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x04000000, 0x08000000):\n"
        "    if libc.unshare(flag) == 0: print('BREACH', hex(flag))\n",
        kind="rights",
    ),
    _attack(
        "new namespaces by other calls",
        _CALLS
        + "if platform.machine() == 'x86_64':\n    if libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0) == 0: os.write(1, b'BREACH clone'); os._exit(0)\n"
        "if libc.syscall(435, 0, 0) != -1 or ctypes.get_errno() != 38: print('BREACH clone3')\n",
        kind="rights",
    ),
    _attack("new namespaces, from a shell", "unshare -Ur id -u && echo BREACH; exit 0\n", "bash", "rights"),
    _attack(
        "another root",
        _CALLS
        + "if libc.chroot(b'/tmp') == 0: print('BREACH chroot')\nif libc.syscall(155, b'.', b'.') == 0: print('BREACH pivot_root')\n",
        kind="rights",
    ),
    _attack(
        "rarely used parts of the kernel",
        _CALLS
        + "if platform.machine() == 'x86_64':\n    for number, name in ((321, 'bpf'), (298, 'perf_event_open'), (425, 'io_uring_setup'), (323, 'userfaultfd'),\n"
        "                         (248, 'add_key'), (250, 'keyctl'), (304, 'open_by_handle_at'), (246, 'kexec_load'), (175, 'init_module'), (438, 'pidfd_getfd')):\n"
        "        ctypes.set_errno(0)\n        libc.syscall(number, 0, 0, 0, 0, 0)\n"
        "        if ctypes.get_errno() not in (1, 38): print('BREACH', name, ctypes.get_errno())\n",
        kind="rights",
    ),
    _attack(
        "calls by another architecture",
        '#include <cstdio>\nint main() {\n#ifdef __x86_64__\n  long r; asm volatile("int $0x80" : "=a"(r) : "a"(359), "b"(1), "c"(1), "d"(0));\n'
        '  if (r >= 0) puts("BREACH: a socket");\n  asm volatile("syscall" : "=a"(r) : "a"(0x40000000 + 41), "D"(1), "S"(1), "d"(0) : "rcx", "r11", "memory");\n'
        '  if (r >= 0) puts("BREACH: a socket");\n#endif\n  return 0;\n}\n',
        "cpp",
        "rights",
    ),
    _attack(
        "shared memory and queues of System V",
        _CALLS
        + "if libc.shmget(1234, 1 << 20, 0o1666) >= 0: print('BREACH shmget')\nif libc.semget(1234, 1, 0o1666) >= 0: print('BREACH semget')\n"
        "if libc.msgget(1234, 0o1666) >= 0: print('BREACH msgget')\n",
        kind="rights",
    ),
    _attack(
        "keys into the terminal",
        "import fcntl, termios\nfor path in ('/dev/tty', '/dev/console', '/dev/pts/0', '/dev/pts/1'):\n"
        "    try:\n        f = open(path, 'w'); fcntl.ioctl(f, termios.TIOCSTI, b'x'); print('BREACH', path)\n    except OSError: pass\n",
        kind="rights",
    ),
    _attack(
        "the host's name and clock",
        "import socket, time, os\ntry: socket.sethostname('x'); print('BREACH name')\nexcept OSError: pass\n"
        "try: time.clock_settime(time.CLOCK_REALTIME, 0); print('BREACH clock')\nexcept OSError: pass\nprint(os.uname().nodename)\n",
        kind="rights",
    ),
    _attack(
        "a fault on purpose",
        "import os, signal\nos.closerange(0, 100)\nos.kill(os.getpid(), signal.SIGKILL)\n",
        may_end=frozenset(("runtime_error",)),
    ),
    _attack(
        "an exit code of the sandbox's own",
        "import os\nos._exit(125)\n",
        may_end=frozenset(("runtime_error",)),
    ),
)
