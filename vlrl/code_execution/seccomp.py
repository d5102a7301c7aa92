"""Which system calls a program may not make: a filter for the kernel, compiled by libseccomp.

Without them a program has no network, also not to another one, no way to trace or open a process, no mounts and no
namespaces, and no memory that its limits don't count. What is refused fails with "operation not permitted", or "not
implemented" where a C library has another way then.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import os
from functools import cache
from pathlib import Path

from vlrl.errors import ConfigError

# network, also by name of an abstract socket; pairs of sockets are pipes and stay
SOCKETS = ("socket", "bind", "connect", "listen", "accept", "accept4")
REFUSED = (
    # other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd", "pidfd_send_signal",
    # mounts, namespaces, devices, the host
    "mount", "umount2", "umount", "mount_setattr", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick",
    "pivot_root", "chroot", "unshare", "setns", "open_by_handle_at", "name_to_handle_at", "mknod", "mknodat",
    "swapon", "swapoff", "quotactl", "quotactl_fd", "acct", "reboot", "kexec_load", "kexec_file_load", "init_module",
    "finit_module", "delete_module", "iopl", "ioperm", "modify_ldt", "syslog", "vhangup", "sethostname",
    "setdomainname", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "nfsservctl", "lookup_dcookie",
    # its own priority: one who waits for a processor by his own doing would be taken for starved
    "sched_setattr", "sched_setparam", "sched_setaffinity", "setpriority",
    # rights
    "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capset",
    "keyctl", "add_key", "request_key",
    # parts of the kernel that programs don't need and attacks do
    "bpf", "perf_event_open", "userfaultfd", "fanotify_init", "fanotify_mark", "io_submit", "vmsplice",
    # memory that no limit counts
    "shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semctl", "semtimedop", "msgget", "msgsnd", "msgrcv",
    "msgctl", "mq_open", "mq_unlink", "memfd_secret", "migrate_pages", "move_pages", "mbind", "set_mempolicy",
)  # fmt: skip
NOT_IMPLEMENTED = ("clone3", "io_uring_setup", "io_uring_enter", "io_uring_register", "memfd_create")
NEW_NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
ALLOW, FAIL, NOT_EQUAL, MASKED_EQUAL = 0x7FFF0000, 0x00050000, 1, 7
INSTALL = "install it: apt-get install libseccomp2 (Debian, Ubuntu), dnf install libseccomp (Fedora)"


class _Comparison(ctypes.Structure):
    """struct scmp_arg_cmp of <seccomp.h>."""

    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def library() -> ctypes.CDLL | None:
    """libseccomp, or None where the host has none."""
    for name in ("libseccomp.so.2", ctypes.util.find_library("seccomp")):
        if name is not None:
            try:
                return ctypes.CDLL(name)
            except OSError:
                continue
    return None


@cache
def filter_code(sockets: bool = False) -> bytes:
    """The filter as the kernel takes it (struct sock_filter, 8 bytes each). Raises ConfigError without libseccomp.

    sockets  allowed, for a browser, which talks to itself; a box has a network of its own with nobody in it
    """
    seccomp = library()
    if seccomp is None:
        raise ConfigError("sandbox", "libseccomp is missing, which filters system calls", INSTALL)
    refused = REFUSED if sockets else (*SOCKETS, *REFUSED)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(ALLOW)))
    try:
        for number, names in ((errno.EPERM, refused), (errno.ENOSYS, NOT_IMPLEMENTED)):
            for name in names:
                _refuse(seccomp, context, name, number)
        for flag in NEW_NAMESPACES:
            _refuse(seccomp, context, "clone", errno.EPERM, _Comparison(0, MASKED_EQUAL, flag, flag))
        # runtimes set the ordinary policy (0), which changes nothing
        _refuse(seccomp, context, "sched_setscheduler", errno.EPERM, _Comparison(1, NOT_EQUAL, 0, 0))
        # limits of others: those of process 1, which has the same user, would make it fail
        _refuse(seccomp, context, "prlimit64", errno.EPERM, _Comparison(0, NOT_EQUAL, 0, 0))
        return _exported(seccomp, context)
    finally:
        seccomp.seccomp_release(context)


def _refuse(
    seccomp: ctypes.CDLL, context: ctypes.c_void_p, name: str, number: int, comparison: _Comparison | None = None
) -> None:
    call = seccomp.seccomp_syscall_resolve_name(name.encode())
    if call == -1:  # this libseccomp is older than the call
        return
    compared = (_Comparison * 1)(*([] if comparison is None else [comparison]))
    result = seccomp.seccomp_rule_add_array(
        context, ctypes.c_uint32(FAIL | number), call, 0 if comparison is None else 1, compared
    )
    if result not in (0, -errno.EDOM):  # a call that this architecture doesn't have
        raise ConfigError("sandbox", f"libseccomp refuses a rule for {name}: {os.strerror(-result)}", INSTALL)


def _exported(seccomp: ctypes.CDLL, context: ctypes.c_void_p) -> bytes:
    file = os.memfd_create("filter")
    try:
        if seccomp.seccomp_export_bpf(context, file) != 0:
            raise ConfigError("sandbox", "libseccomp can't write the filter", INSTALL)
        return Path(f"/proc/self/fd/{file}").read_bytes()
    finally:
        os.close(file)
