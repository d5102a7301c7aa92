"""Tools that are programs: tesseract reads what is printed, and the policy's Python runs in the sandbox."""

from __future__ import annotations

import json
import shutil

import pytest
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from sandbox_fixture import require_sandbox

from vlrl.code_execution import executor
from vlrl.code_execution.sandbox_settings import SandboxSettings
from vlrl.errors import ConfigError
from vlrl.rollout.environments.environment import environments
from vlrl.rollout.environments.tools.programs import check_tesseract
from vlrl.types import Problem, Text


def page() -> Pillow.Image:
    """Two words in different halves of a white page."""
    image = Pillow.new("RGB", (420, 80), (255, 255, 255))
    font = ImageFont.load_default(36)
    for left, word in ((10, "seven"), (230, "lamps")):
        ImageDraw.Draw(image).text((left, 18), word, (0, 0, 0), font)
    return image


def said(name, *calls):
    """(outcome, text, fault) of each call of one episode."""
    environment = environments.build({"name": "tools", "tools": [name], "call_format": "hermes"})
    world = environment.world(Problem((Text("?"),), "1", "number", "synthetic", "tests"))
    world.begin({"images": [page()]})
    (tool,) = environment.schemas()
    found = []
    for number, arguments in enumerate(calls):
        reply = world.answer(f"<tool_call>{json.dumps({'name': tool, 'arguments': arguments})}</tool_call>", number)
        found.append((reply.calls[0].outcome, "".join(one.text for m in reply.messages for one in m), reply.fault))
    return found


def test_ocr_reads_an_image_or_a_part_of_it():
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed")
    part, whole, outside = said("ocr", {"bbox_2d": [500, 0, 1000, 1000]}, {}, {"bbox_2d": [2000, 0, 3000, 9]})
    assert part == ("done", "lamps", None)
    assert whole == ("done", "seven lamps", None)
    assert outside[0] == "failed"
    with pytest.raises(ConfigError, match=r"no 'xyz'[\s\S]*eng"):
        environments.build({"name": "tools", "tools": ["ocr"], "ocr_language": "eng+xyz"})


def test_without_tesseract_ocr_is_refused(monkeypatch):
    monkeypatch.setenv("PATH", "")
    check_tesseract.cache_clear()
    with pytest.raises(ConfigError, match="tesseract-ocr"):
        environments.build({"name": "tools", "tools": ["ocr"]})


@pytest.mark.sandbox
def test_python_runs_in_the_sandbox_beside_the_images():
    require_sandbox()
    executor.configure(SandboxSettings(boxes=1))
    try:
        size, failed, silent, long = said(
            "python",
            {"code": "print(open('image_0.png', 'rb').read(24)[16:].hex())"},
            {"code": "open('/etc/hostile', 'w')"},
            {"code": "1"},
            {"code": "print('x' * 50_000)"},
        )
    finally:
        executor.close()
    assert size == ("done", f"{420:08x}{80:08x}", None)
    assert failed[0] == "failed"
    assert "runtime_error" in failed[1]
    assert silent == ("done", "the program printed nothing", None)
    assert long[0] == "dropped"
    with pytest.raises(ConfigError, match="sandbox"):
        environments.build({"name": "tools", "tools": ["python"], "episode_memory_mib": 99})
