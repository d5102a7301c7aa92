import torch

from vlrl.installation.instruction_set import in_words, instruction_set


def test_the_cpu_says_what_it_has_and_the_environment_what_is_forbidden(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu sse2 avx2 fma\n\nprocessor\t: 1\nflags\t\t: fpu avx512f\n")
    found = instruction_set(cpuinfo, {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": ""})
    assert found["cpu"] == ["AVX2"]
    assert found["limit"] == ["ONEDNN_MAX_CPU_ISA=AVX2"]
    assert found["torch"] == torch.backends.cpu.get_cpu_capability()


def test_a_system_without_cpuinfo_is_told_by_its_machine_alone(tmp_path):
    found = instruction_set(tmp_path / "absent", {})
    assert found["cpu"] == []
    assert found["machine"]
    assert "limit" not in found


def test_the_phrase_names_the_kernels_that_pytorch_chose():
    assert f"PyTorch uses {torch.backends.cpu.get_cpu_capability()}" in in_words()
