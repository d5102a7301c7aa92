"""What all processes of a job take together, as /proc shows it, and how they are ended. Standard library alone."""

import os
import resource
import signal
import time

PAGE = resource.getpagesize()
HERTZ = os.sysconf("SC_CLK_TCK")


def processes() -> "dict[int, list[bytes]]":
    """Process id → parent, for everything that this process can see."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:  # it has ended meanwhile
                continue
            found[int(name)] = fields
    return found


def threads_of_user() -> int:
    """Threads of this user on the whole host: without a user namespace the limit of processes counts them, too."""
    count = 0
    for number, _ in processes().items():
        try:
            if os.stat(f"/proc/{number}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{number}/task"))
        except OSError:  # it has ended meanwhile
            continue
    return count


def descendants(root: int) -> "list[tuple[int, list[bytes]]]":
    """Ids of the processes below one, nearest first, with their fields of /proc/…/stat."""
    everything = processes()
    below: dict[int, list[int]] = {}
    for number, fields in everything.items():
        below.setdefault(int(fields[1]), []).append(number)
    found, open_ = [], [root]
    while open_:
        for child in below.get(open_.pop(0), ()):
            found.append((child, everything[child]))
            open_.append(child)
    return found


def measure(root: int) -> "tuple[int, float, float]":
    """(bytes held in memory, seconds that one of them waited for a processor, processor seconds) of all below."""
    memory, behind, cpu = 0, 0.0, 0.0
    for number, fields in descendants(root):
        cpu += sum(map(int, fields[11:15])) / HERTZ  # utime, stime, and those of children that were waited for
        memory += resident(number)
        behind = max(behind, waited(number))
    return memory, behind, cpu


def waited(number: int) -> float:
    """Seconds that a process was ready and got no processor; 0 of one that has ended, or without such a count."""
    try:
        with open(f"/proc/{number}/schedstat", "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def gives_way(root: int) -> bool:
    """Whether a process below waits by its own doing: it has lowered the weight of its session among all others.

    Of what a program may do about its own priority this alone is no system call, which the filter would refuse.
    """
    return any(_session_nice(number) > _session_nice(os.getpid()) for number, _ in descendants(root))


def _session_nice(number: int) -> int:
    """-20 to 19; 0 where the kernel has no such groups, or the process has ended."""
    try:
        with open(f"/proc/{number}/autogroup", "rb") as file:
            return int(file.read().rpartition(b"nice")[2])
    except (OSError, ValueError):
        return 0


def proportional(root: int) -> int:
    """Bytes that all below hold, a shared page counted once; with a shut process, all that it shares as well."""
    total = 0
    for number, _ in descendants(root):
        try:
            with open(f"/proc/{number}/smaps_rollup", "rb") as file:
                fields = dict(line.split(b":", 1) for line in file.read().splitlines()[1:])
            total += (int(fields[b"Pss"].split()[0]) + int(fields[b"Swap"].split()[0])) * 1024
        except (OSError, KeyError, IndexError, ValueError):
            total += resident(number)
    return total


def resident(number: int) -> int:
    """Bytes of a process in memory; 0 of one that has ended."""
    try:
        with open(f"/proc/{number}/statm", "rb") as file:
            return int(file.read().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def end_tree(keeper: int) -> None:
    """Kills all below a keeper: its process 1 first, with which the kernel ends the others; then the keeper itself.

    The keeper ends by itself once `init` is gone, and is killed where it doesn't.
    """
    for attempt in range(400):
        below = [number for number, fields in descendants(keeper) if fields[0] != b"Z"]
        for number in below if attempt < 399 else [*below, keeper]:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if os.waitid(os.P_PID, keeper, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
        if not below:
            os.kill(keeper, signal.SIGKILL)
            return
        time.sleep(0.005)


def end_descendants() -> None:
    """Without a process namespace: kills until nobody is left. Orphans have become children of this process."""
    for _ in range(200):
        left = [number for number, fields in descendants(os.getpid()) if fields[0] != b"Z"]
        for number in left:
            try:
                os.kill(number, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)
