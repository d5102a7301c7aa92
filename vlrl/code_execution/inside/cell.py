"""What happens in a program's own process: rights are given up, limits set, files unpacked, and it begins.

It is imported by the box's server (`box_server`), inside of the box; nothing but the standard library is.
"""

import _thread
import atexit
import ctypes
import gc
import json
import os
import resource
import sys
import traceback
import types
from typing import Any

PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 22, 24, 38, 47, 4
THREAD_STACK = 8 << 20  # bytes
PEER, PAYLOAD, REPORT = 3, 4, 5  # descriptors of a program's process before the program begins; it keeps the first
OWN_PROCESSES = 6  # of the box: bubblewrap's two, the server, keeper, init, and one to spare
PAGE = resource.getpagesize()
libc = ctypes.CDLL(None, use_errno=True)


def must(result: int, what: str) -> None:
    """Raises OSError where a call of the C library failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


class Filter(ctypes.Structure):
    """struct sock_fprog of <linux/filter.h>."""

    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


def give_up_rights(filter_code: bytes) -> None:
    """No capability and no way to one for this process and all that come of it; filtered system calls."""
    must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused for those that don't exist, or aren't held
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
    must(libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")
    if filter_code:
        program = Filter(len(filter_code) // 8, filter_code)
        must(libc.prctl(PR_SET_SECCOMP, 2, ctypes.byref(program), 0, 0), "seccomp")


def contents(path: str) -> bytes:
    """The bytes of a file."""
    with open(path, "rb") as file:
        return file.read()


def say(what: "dict[str, Any]") -> None:
    """A line of the report, from a process of the program before the program has begun."""
    os.write(REPORT, json.dumps(what).encode() + b"\n")


def limit(role: "dict[str, Any]", beside: int) -> None:
    """The kernel's own limits; `address` or `data` is what counts as memory, by language."""
    wanted = role["limits"]
    pairs = [
        ("RLIMIT_CPU", int(wanted["cpu"]) + 2),
        ("RLIMIT_FSIZE", wanted["file_bytes"]),
        ("RLIMIT_NOFILE", wanted["open_files"]),
        ("RLIMIT_NPROC", wanted["processes"] + OWN_PROCESSES + beside),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_MEMLOCK", 0),
        ("RLIMIT_MSGQUEUE", 0),
        ("RLIMIT_RTPRIO", 0),
        ("RLIMIT_NICE", 0),
    ]
    if role.get("address"):
        taken = 0 if role.get("argv") else int(contents("/proc/self/statm").split()[0]) * PAGE
        pairs.append(("RLIMIT_AS", role["address"] + taken))
    if role.get("data"):
        pairs.append(("RLIMIT_DATA", role["data"]))
    for name, value in pairs:
        number = getattr(resource, name, None)
        if number is not None:
            hard = resource.getrlimit(number)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(number, (value, value))


def read_payload(descriptor: int, hold: bool) -> "dict[str, bytes]":
    """Name → bytes where they are held in memory; otherwise the files are written to the current folder."""
    with open(descriptor, "rb", closefd=False) as payload:
        held = {}
        for name, size, mode in json.loads(payload.readline())["files"]:
            data = payload.read(size)
            if hold:
                held[name] = data
                continue
            folder = os.path.dirname(name)
            if folder:
                os.makedirs(folder, exist_ok=True)
            file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with open(file, "wb") as out:
                out.write(data)
    return held


def keep_files(folder: str, suffixes: "list[str]", most: int, artifact: int) -> int:
    """Writes files of the job that are to be kept as a payload; their number.

    The program made the folder what it is: links, folders, large files and what can't be read are passed over.
    """
    if not suffixes:
        return 0
    kept, total = [], 0
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # it was shut
        return 0
    for name in names:
        if not any(name == suffix or (suffix.startswith(".") and name.endswith(suffix)) for suffix in suffixes):
            continue
        try:
            file = os.open(os.path.join(folder, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # a link, or a file that can't be read
            continue
        about = os.fstat(file)
        if about.st_mode & 0o170000 != 0o100000 or total + about.st_size > most:
            os.close(file)
            continue
        with open(file, "rb") as held:
            data = held.read(about.st_size)
        total += len(data)
        kept.append((name, data, about.st_mode & 0o777))
    header = json.dumps({"files": [[name, len(data), mode] for name, data, mode in kept]})
    with open(artifact, "wb", closefd=False) as out:
        out.write(header.encode() + b"\n")
        for _, data, _ in kept:
            out.write(data)
    return len(kept)


def fresh_streams() -> None:
    """Text streams on the descriptors of the program, as an interpreter opens them at its start."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        errors = "backslashreplace" if name == "stderr" else "surrogateescape"
        stream = open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115 (it stays open)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def run_python(source: bytes, name: str, held: "dict[str, bytes]") -> None:
    """The program as `__main__`; its own frames alone stand in a traceback. What isn't Python is reported as such."""
    fresh_streams()
    main = types.ModuleType("__main__")
    main.__dict__.update(__file__=os.path.join(os.getcwd(), name), __builtins__=__builtins__)
    if held:
        main.__dict__["held"] = held
    sys.modules["__main__"] = main
    sys.argv = [name]
    sys.path.insert(0, os.getcwd())
    try:
        code = compile(source, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        print("".join(traceback.format_exception_only(type(error), error)), file=sys.stderr, flush=True)
        say({"compile": False})
        os._exit(1)
    os.close(REPORT)
    _thread.stack_size(THREAD_STACK)  # the main one's would be taken for each thread otherwise
    names = main.__dict__
    del main
    ended = outcome_of(code, names)
    del names
    leave(ended)


def outcome_of(code: types.CodeType, names: "dict[str, Any]") -> int:
    """The exit code that an interpreter has after this program."""
    try:
        exec(code, names)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return (end.code or 0) & 0xFF
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        own = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(type(error), error, own)
        return 1
    return 0


def leave(code: int) -> None:
    """The end of an interpreter, but for its own memory: threads are waited for, exit functions run, what the program
    still holds is finalized, streams are flushed.

    Freeing the whole heap would cost more than most programs, since every page of it is shared with the server.
    """
    try:
        if "threading" in sys.modules:
            sys.modules["threading"]._shutdown()
        atexit._run_exitfuncs()
        sys.modules.pop("__main__", None)
        gc.collect()
        sys.stdout.flush()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        code = code or 120
    try:
        sys.stderr.flush()
    finally:
        os._exit(code)
