"""Attacks on what is outside: files, secrets, the environment, devices."""

from __future__ import annotations

from vlrl.code_execution.attacks.attack import Attack

_TREE = """
import os
def contents(top):
    for folder, folders, files in os.walk(top):
        for name in files:
            try: yield open(os.path.join(folder, name), errors="replace").read(10000)
            except OSError: pass
"""


def _attack(name: str, source: str, language: str = "python", after: str = "") -> Attack:
    return Attack(name, "files", language, source, after=after)


ATTACKS = (
    _attack("a secret outside", "print(open('@folder@/secret.txt').read())\n"),
    _attack("a secret outside, from a shell", "cat @folder@/secret.txt; ls -la @folder@\n", "bash"),
    _attack(
        "a secret outside, from JavaScript",
        "console.log(require('fs').readFileSync('@folder@/secret.txt', 'utf8'));\n",
        "javascript",
    ),
    _attack(
        "a secret outside, from Java",
        "import java.nio.file.*; public class Main { public static void main(String[] a) throws Exception {"
        ' System.out.println(Files.readString(Path.of("@folder@/secret.txt"))); } }\n',
        "java",
    ),
    _attack(
        "the home folder",
        _TREE + "import os\nfor home in ('@home@', '/root', '/home'):\n"
        "    if os.path.isdir(home) and os.listdir(home): print('BREACH', home)\n",
    ),
    _attack(
        "the trainer's own files",
        "import os\nfor path in ('@here@', os.path.dirname('@here@')):\n    if os.path.exists(path): print('BREACH', path)\n",
    ),
    _attack(
        "secrets of the environment", "import os\nprint(dict(os.environ))\nprint(open('/proc/self/environ').read())\n"
    ),
    _attack(
        "environments of other processes",
        "import glob\nfor path in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/task/*/environ'):\n"
        "    try: print(open(path).read())\n    except OSError: pass\n",
    ),
    _attack(
        "processes outside",
        "import os\ntrainer, victim = '@trainer@', '@victim@'\n"
        "for pid in os.listdir('/proc'):\n    if pid.isdecimal():\n        try: said = open(f'/proc/{pid}/cmdline').read()\n"
        "        except OSError: continue\n        if 'sleep\\x003600' in said: print('BREACH', pid)\n",
    ),
    _attack(
        "the passwords of the host",
        "for path in ('/etc/shadow', '/etc/sudoers', '/etc/ssh/ssh_host_rsa_key', '/root/.ssh/id_rsa'):\n"
        "    try: open(path).read(); print('BREACH', path)\n    except OSError: pass\n"
        "if 'root:' in open('/etc/passwd').read(): print('BREACH /etc/passwd')\n",
    ),
    _attack(
        "writing outside",
        "import os\nfor path in ('/x', '/usr/x', '/etc/x', '/bin/x', '/var/x', '/dev/x', '/box/box_server.py', '/etc/passwd',\n"
        "             '/usr/lib/python3/x', '/proc/sys/kernel/core_pattern', '/run/x', '/opt/x'):\n"
        "    try: open(path, 'a').write('x'); print('BREACH', path)\n    except OSError: pass\n",
    ),
    _attack(
        "writing where all may write",
        "import os\nfor path in ('@folder@/open/x', '/var/tmp/vlrl-x', '/dev/mqueue/x', '/run/lock/x'):\n"
        "    try: open(path, 'w').write('x'); print('BREACH', path)\n    except OSError: pass\n",
    ),
    _attack(
        "a symbolic link outside",
        "import os\nos.symlink('@folder@/secret.txt', '/tmp/a'); os.symlink('/', '/tmp/b')\n"
        "for path in ('/tmp/a', '/tmp/b@folder@/secret.txt', '/proc/self/root@folder@/secret.txt', '/proc/self/cwd/..@folder@/secret.txt'):\n"
        "    try: print(open(path).read())\n    except OSError: pass\n",
    ),
    _attack(
        "a hard link outside",
        "import os\nfor source in ('@folder@/secret.txt', '/etc/passwd', '/usr/bin/env', '/box/box_server.py'):\n"
        "    try:\n        os.link(source, '/tmp/link'); open('/tmp/link', 'a').write('x'); print('BREACH', source)\n"
        "    except OSError: pass\n",
    ),
    _attack(
        "descriptors that were left open",
        "import os\nfor fd in range(3, 2000):\n    try: os.fstat(fd); print('BREACH', fd, os.readlink(f'/proc/self/fd/{fd}'))\n"
        "    except OSError: pass\n",
    ),
    _attack(
        "the memory of the box",
        "import glob, os\nfor path in glob.glob('/proc/[0-9]*'):\n    pid = path.split('/')[-1]\n    if int(pid) == os.getpid(): continue\n"
        "    for name, mode in (('mem', 'rb+'), ('mem', 'rb'), ('maps', 'rb'), ('auxv', 'rb')):\n"
        "        try: open(f'{path}/{name}', mode).read(1); print('BREACH', path, name)\n        except OSError: pass\n"
        "    try: print('BREACH', os.listdir(f'{path}/fd'))\n    except OSError: pass\n",
    ),
    _attack(
        "devices",
        "import os, stat\nfor path in ('/dev/sda', '/dev/vda', '/dev/mem', '/dev/kmsg', '/dev/kvm', '/dev/fuse', '/dev/nvidia0'):\n"
        "    try: open(path, 'rb').read(1); print('BREACH', path)\n    except OSError: pass\n"
        "try: os.mknod('/tmp/disk', 0o600 | stat.S_IFBLK, os.makedev(8, 0)); print('BREACH mknod')\nexcept OSError: pass\n",
    ),
    _attack(
        "settings of the kernel",
        "import glob, os\nfor path in glob.glob('/proc/sys/kernel/*') + glob.glob('/proc/sys/vm/*') + ['/proc/sysrq-trigger', '/sys/power/state']:\n"
        "    try:\n        text = open(path).read(); open(path, 'w').write(text); print('BREACH', path)\n    except OSError: pass\n",
    ),
    _attack("a header of the host", '#include "@folder@/secret.txt"\nint main() { return 0; }\n', "cpp"),
    _attack(
        "a binary part of the host",
        '#include <cstdio>\nasm(".section .rodata\\n.global s\\ns: .incbin \\"@folder@/secret.txt\\"\\n.byte 0\\n.text");\n'
        "extern char s; int main() { puts(&s); }\n",
        "cpp",
    ),
    _attack(
        "a compiler's options from the source",
        '#pragma GCC dependency "@folder@/secret.txt"\n#include "/proc/self/environ"\nint main() { return 0; }\n',
        "cpp",
    ),
    _attack(
        "a file for the next program",
        "import os\nfor path in ('/tmp/left', '/dev/shm/left'):\n    open(path, 'w').write('x')\n",
        after="import os\nfor path in ('/tmp/left', '/dev/shm/left'):\n    if os.path.exists(path): print('BREACH', path)\n",
    ),
    _attack(
        "a patch for the next program",
        "import builtins, json, sys, random\nbuiltins.print = lambda *a: sys.stdout.write('BREACH')\nbuiltins.left = 1\n"
        "json.dumps = lambda *a, **k: 'BREACH'\nsys.modules['left'] = json\n",
        after="import builtins, sys\nif hasattr(builtins, 'left') or 'left' in sys.modules: print('BREACH')\nprint('x')\n",
    ),
)
