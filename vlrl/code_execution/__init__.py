"""Programs that models write, run in a sandbox: hostile code, its limits, and what became of it.

Read `executor` (what a caller has to do with), `box` (one sandbox), `inside` (what runs in it), then
`languages`. The verifier on top of it is `vlrl.verify.code`; the attacks that it has to contain are in `attacks`.

**Covered**, by bubblewrap (namespaces of user, process, network, mount, IPC, host name and control group, a read-only
system without /home, /root, /var, /etc but for named files), by the cell that each run has of its own (processes,
/tmp, /dev/shm, /proc), by libseccomp (no sockets, tracing, mounts, namespaces, keys, io_uring, bpf, shared memory of
System V, message queues) and by limits (processor and wall-clock time, memory of each process and of all together,
processes, open files, size of files, of output and of /tmp):

- the host's files, processes, network, environment and devices
- other programs: what one writes, leaves running or keeps in memory is gone before the next one begins
- the verdict: what is expected never enters the sandbox, how a program ends is told by another process, and a tester
  of Python functions is a process of its own whose memory is shut to what it tests

**Not covered**:

- faults of the kernel. A program shares it; where that is not enough, run the trainer in a virtual machine, or use
  `isolation: remote`
- side channels of the processor, and covert ones (how busy the machine is)
- memory in kernel objects (pipe and socket buffers), which is bounded by the number of processes and open files alone
- unit tests of languages other than Python stand in one process with what they test: a program that reads them may
  answer them. Exit codes and printed verdicts don't help it, a mark at the end of the tests does
- `isolation: rlimits` leaves out bubblewrap and the cell: files that the user may read can be read, and other processes
  of the same user can be seen and ended. It is refused unless it is chosen, and the run card says so
"""
