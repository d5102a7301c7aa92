"""The program inside a box: it starts programs of models one after another, each in a cell that is used once.

It is run as a script by the box's Python and imports nothing but the standard library, so that it can be read alone.
Nothing of a program ever runs in this process. For every job it forks

    keeper → init (process 1 of a new process namespace, own mounts: empty /tmp and /dev/shm of fixed size, own /proc)
           → program (no capabilities, no new privileges, system calls filtered, resource limits)

With the end of `init` the kernel ends whatever the program has left behind, and its files are gone with the mounts. A
Python program continues in the forked interpreter, which saves its start; every other one is executed.

On the control socket (sequenced packets, JSON), whose number is the first argument:

    from here   {"ready": true}
    to here     a job (see `Job`), with its file descriptors
    from here   {"status": …, "cpu": …, "wall": …, "waited": …, "peak": …, "why": …}

What is secret from the program: descriptors of this process (closed before it begins), memory of `init` and of a tester
(not dumpable, so that /proc/1/mem stays shut), and other jobs' files, which this process hands on without reading.
"""

import fcntl
import gc
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vlrl.code_execution.inside import cell, job_processes

    Begun = tuple[bytes, str, dict[str, bytes]]
else:
    import cell
    import job_processes

NEWNS, NEWPID = 0x00020000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT, MS_BIND = 1, 2, 4, 8, 32, 4096
MS_REC, MS_PRIVATE = 1 << 14, 1 << 18
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 1, 4, 36
TICK_SECONDS = 0.05  # how often memory and processor time of all processes of a job are added up
# after this many times the wall-clock limit, and this many seconds at least, a job ends that gets no processor
STARVED_FACTOR, STARVED_SECONDS = 8.0, 60.0
# what programs import most; loading it once saves every Python program that time
LOADED: "tuple[str, ...]" = ("bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq")
LOADED += ("itertools", "math", "operator", "random", "re", "string", "typing")
libc, must = cell.libc, cell.must


class Job:
    """One job as it came: {"roles": [role, …], "wall": seconds, "memory": bytes, …} and its descriptors.

    role         {"argv": […]} to execute, or {"python": file name} to continue in this interpreter; limits, environment
    descriptors  the file for what is kept, then payload, stdin, stdout and stderr of each role

    With two roles the first is the tester: it alone decides how the job ends, its memory is shut to the second, and
    both hold an end of one socket as descriptor 3. A payload is a JSON line {"files": [[name, size, mode], …]}, then
    the files one behind another; a role with "hold" keeps its files in memory and writes none.
    """

    def __init__(self, spec: "dict[str, Any]", descriptors: "list[int]") -> None:
        self.spec, self.descriptors = spec, descriptors
        self.roles = spec["roles"]
        self.artifact = descriptors[0]

    def channels(self, number: int) -> "list[int]":
        """Payload, stdin, stdout, stderr of a role."""
        return self.descriptors[1 + 4 * number : 5 + 4 * number]

    def close(self) -> None:
        """In this process nothing of the job is kept."""
        for descriptor in self.descriptors:
            os.close(descriptor)


class Server:
    """The box's only long-lived process; `work` returns in the process of a Python program alone."""

    def __init__(self, control: socket.socket, namespaces: bool, filter_code: bytes, folder: str) -> None:
        self.control, self.namespaces, self.filter_code, self.folder = control, namespaces, filter_code, folder

    def work(self) -> "Begun":
        """Jobs until the control socket closes. Returns (source, file name, names) where a Python program begins."""
        self.control.sendall(b'{"ready": true}')
        while True:
            data, descriptors, _, _ = socket.recv_fds(self.control, 1 << 16, 16)
            if not data:
                sys.exit(0)
            job = Job(json.loads(data), descriptors)
            folder = None if self.namespaces else tempfile.mkdtemp(dir=self.folder)
            report, for_init = os.pipe()
            started = time.monotonic()
            keeper = os.fork()
            if keeper == 0:
                os.close(report)
                begun = self.keep(job, for_init, folder)
                if begun is not None:
                    return begun
                os._exit(0)
            os.close(for_init)
            job.close()
            outcome = self.watch(job.spec, keeper, report, started)
            os.close(report)
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            self.control.sendall(json.dumps(outcome).encode())

    def keep(self, job: Job, report: int, folder: "str | None") -> "Begun | None":
        """In the keeper: makes the namespaces, and waits until `init` and with it all else has ended."""
        self.control.close()
        must(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
        must(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable")
        if folder is not None:
            must(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper")
            return self.init(job, report, folder)
        must(libc.unshare(NEWPID | NEWNS), "unshare")
        first = os.fork()
        if first == 0:
            must(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "pdeathsig")
            self.mount(job.spec)
            return self.init(job, report, "/tmp")
        job.close()
        os.close(report)
        os.waitpid(first, 0)
        return None

    def mount(self, spec: "dict[str, Any]") -> None:
        """What the program may write to: two empty folders of fixed size. And what it sees of processes: its own."""
        must(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "private mounts")
        size = b"size=%d,nr_inodes=%d,mode=0777" % (spec["disk"], spec["inodes"])
        must(libc.mount(b"tmpfs", b"/tmp", b"tmpfs", MS_NOSUID | MS_NODEV, size), "/tmp")
        shared = b"size=%d,nr_inodes=64,mode=0777" % (spec["disk"] // 4)
        must(libc.mount(b"tmpfs", b"/dev/shm", b"tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, shared), "/dev/shm")
        must(libc.mount(b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None), "/proc")
        # settings of the box's own namespaces would outlive the cell
        must(libc.mount(b"/proc/sys", b"/proc/sys", None, MS_BIND, None), "/proc/sys")
        only_read = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
        must(libc.mount(None, b"/proc/sys", None, only_read, None), "/proc/sys")

    def init(self, job: Job, report: int, folder: str) -> "Begun":
        """Process 1 of a cell (without namespaces: the reaper of its processes). Says how the first role ended."""
        pair = socket.socketpair() if len(job.roles) > 1 else ()
        first = 0
        for number in reversed(range(len(job.roles))):
            child = os.fork()
            if child == 0:
                return self.program(job, number, pair, folder, report)
            first = child
        for end in pair:
            end.close()
        while True:
            child, status = os.wait()
            if child == first:
                break
        if not self.namespaces:
            job_processes.end_descendants()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        said = {"status": os.waitstatus_to_exitcode(status), "cpu": used.ru_utime + used.ru_stime}
        said["largest"] = used.ru_maxrss * 1024
        said["kept"] = cell.keep_files(folder, job.spec.get("keep", []), job.spec["disk"], job.artifact)
        os.write(report, json.dumps(said).encode() + b"\n")
        os._exit(0)

    def program(self, job: Job, number: int, pair: "Sequence[socket.socket]", folder: str, report: int) -> "Begun":
        """In the program's process: everything is given up, then it begins. Returns where it continues here."""
        role = job.roles[number]
        os.setsid()
        os.chdir(folder)
        payload, *streams = job.channels(number)
        ends = [end.detach() for end in pair]  # a socket object would close what has its number by then
        peer = ends[number] if ends else None
        wanted = [*streams, *([] if peer is None else [peer])]
        high = [fcntl.fcntl(each, fcntl.F_DUPFD, 64) for each in (payload, report, *wanted)]
        for place, descriptor in enumerate(high[2:]):
            os.dup2(descriptor, place)
        os.dup2(high[0], cell.PAYLOAD, inheritable=False)
        os.dup2(high[1], cell.REPORT, inheritable=False)
        os.closerange(cell.REPORT + 1, 1 << 16)
        if peer is None:
            os.close(cell.PEER)
        try:
            environment = role["environment"]
            os.environ.clear()
            os.environ.update(environment)
            cell.limit(role, 0 if self.namespaces else job_processes.threads_of_user())
            cell.give_up_rights(self.filter_code)
            if not role.get("shut"):
                must(libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable")
            held = cell.read_payload(cell.PAYLOAD, role.get("hold", False))
            os.close(cell.PAYLOAD)
            if role.get("argv"):
                for number in (signal.SIGPIPE, signal.SIGXFSZ):
                    signal.signal(number, signal.SIG_DFL)
                cell.say({"begun": True})
                os.execve(role["argv"][0], role["argv"], environment)
            name = role["python"]
            source = held[name] if role.get("hold") else cell.contents(name)
            cell.say({"begun": True})
        except BaseException as error:  # nothing of the program has run yet: this is the sandbox's fault, told as one
            cell.say({"setup": f"{type(error).__name__}: {error}"})
            os._exit(1)
        return source, name, held

    def watch(self, spec: "dict[str, Any]", keeper: int, report: int, started: float) -> "dict[str, Any]":
        """Waits for the end of a job, and ends it where it takes more than it may.

        The wall clock stops while a process of the job is ready and gets no processor, so that a busy machine changes
        no verdict; but not for one that gives way to others by its own doing. The peak of memory is what all processes
        held together.
        """
        poll = select.poll()
        poll.register(report, select.POLLIN | select.POLLHUP)
        poll.register(self.control, select.POLLHUP)
        why, peak, waited, cpu, said = "", 0, 0.0, 0.0, b""
        own = job_processes.waited(os.getpid())
        over = False
        while not over:
            for descriptor, event in poll.poll(TICK_SECONDS * 1000):
                if descriptor == report:
                    chunk = os.read(report, 1 << 16)
                    said += chunk
                    over = over or not chunk
                elif event & (select.POLLHUP | select.POLLERR):  # the trainer is gone
                    why, over = "gone", True
            if over:
                break
            memory, behind, cpu = job_processes.measure(keeper)
            peak, waited = max(peak, memory), max(waited, behind)
            wall = time.monotonic() - started
            if memory > spec["memory"] and job_processes.proportional(keeper) > spec["memory"]:
                why = "memory"
            elif cpu > spec["cpu"]:
                why = "cpu"
            elif wall - waited > spec["wall"] or (wall > spec["wall"] and job_processes.gives_way(keeper)):
                why = "wall"
            elif wall > max(STARVED_FACTOR * spec["wall"], STARVED_SECONDS):
                why = "starved"
            over = bool(why)
        if why:
            job_processes.end_tree(keeper)
        os.waitpid(keeper, 0)
        if not self.namespaces:
            job_processes.end_descendants()
        if why == "gone":
            sys.exit(0)
        outcome: dict[str, Any] = {"status": None, "cpu": cpu, "largest": 0}
        for line in said.splitlines():
            outcome.update(json.loads(line))
        outcome |= {"why": why, "peak": max(peak, outcome["largest"]), "wall": time.monotonic() - started}
        return {**outcome, "waited": waited + job_processes.waited(os.getpid()) - own}


def start() -> "Begun":
    """Arguments: the control socket, 1 with namespaces, the filter's descriptor or -1, a folder, bytes of stack."""
    control, namespaces, filter_descriptor, folder, stack = sys.argv[1:]
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = int(stack) if hard == resource.RLIM_INFINITY else min(int(stack), hard)
    if soft != wanted and "stack" not in os.environ:  # the kernel lays out memory for it when a program starts
        resource.setrlimit(resource.RLIMIT_STACK, (wanted, hard))
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, "stack": "set"})
    filter_code = b""
    if int(filter_descriptor) >= 0:
        with open(int(filter_descriptor), "rb") as file:
            filter_code = file.read()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if namespaces != "1":
        must(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "subreaper")
    del sys.path[0]  # the folder of this script
    for module in LOADED:
        __import__(module)
    gc.collect()
    gc.freeze()
    server = Server(socket.socket(fileno=int(control)), namespaces == "1", filter_code, folder)
    return server.work()


if __name__ == "__main__":
    cell.run_python(*start())
