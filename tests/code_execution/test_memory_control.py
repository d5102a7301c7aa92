"""What limits memory is read from the kernel's own files, here planted as hosts of either kind have them."""

from __future__ import annotations

import pytest

from vlrl.code_execution.memory_control import memory_control
from vlrl.doctor.machine import check_sandbox_memory

GIB = 2**30


def planted(folder, groups, kind, inside="/", **files):
    """A host's `/proc/self` and its hierarchy, `files` by path with __ for a slash."""
    root = folder / "mounted"
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("0", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    proc = folder / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(groups)
    end = "cgroup cgroup rw,memory" if kind == 1 else "cgroup2 cgroup2 rw"
    (proc / "mountinfo").write_text(f"22 1 0:20 / / rw - ext4 /dev/vda rw\n30 22 0:26 {inside} {root} rw - {end}\n")
    return proc


SCOPE = {"user__a__memory0max": "max\n", "user__a__cgroup0controllers": "memory pids\n", "user__a__cgroup0procs": ""}


def test_the_smallest_limit_of_the_group_and_those_above_it_counts(tmp_path):
    above = {"user__memory0max": f"{GIB}\n", "user__memory0current": "4096\n", "memory0max": f"{4 * GIB}\n"}
    found = memory_control(planted(tmp_path, "0::/user/a\n", 2, **SCOPE, **above, user__a__cgroup0subtree_control=""))
    assert (found.version, found.limit, found.held, found.delegated) == (2, GIB, 4096, True)
    assert found.said().startswith("by cgroup to 1024 MiB of all boxes together (cgroup v2 /user/a, delegated)")
    assert found.remedy() == ""
    assert found.record()["kind"] == "cgroup"


def test_a_group_without_a_limit_or_the_right_to_make_one_is_told_how_to_get_it(tmp_path):
    found = memory_control(planted(tmp_path, "0::/user/a\n", 2, **SCOPE))
    assert (found.limit, found.delegated, found.record()["kind"]) == (None, False, "rlimit")
    assert "by rlimit of each process" in found.said()
    assert "not delegated: no limit" in found.said()
    assert "systemd-run --user --scope" in found.remedy()


def test_a_container_sees_its_own_group_as_the_root_of_version_1(tmp_path):
    """Its unlimited ancestors write the largest number, and a hybrid host names version 2 beside it."""
    files = {"memory0limit_in_bytes": f"{2 * GIB}\n", "cgroup0procs": "", "memory0usage_in_bytes": "7\n"}
    proc = planted(tmp_path, "4:cpu,memory:/docker/x\n0::/\n", 1, inside="/docker/x", **files)
    assert memory_control(proc).limit == 2 * GIB
    (tmp_path / "mounted/memory.limit_in_bytes").write_text("9223372036854771712\n")
    found = memory_control(proc)
    assert (found.version, found.limit) == (1, None)
    assert f"mkdir {tmp_path}/mounted/vlrl" in found.remedy()


@pytest.mark.parametrize("groups", ["0::/\n", ""])
def test_a_host_whose_hierarchies_count_no_memory_has_the_remedy(tmp_path, groups):
    found = memory_control(planted(tmp_path, groups, 2, cgroup0controllers="hugetlb\n"))
    assert (found.version, found.limit) == (0, None)
    assert "no cgroup has the controller memory" in found.said()
    assert memory_control(tmp_path / "none") == found


def test_the_doctor_has_it_as_a_finding_of_its_own():
    found = check_sandbox_memory()
    assert found.name == "sandbox memory"
    assert found.level == ("note" if found.remedy else "ok")
