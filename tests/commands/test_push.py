"""`vlrl push`: what goes, what doesn't, and huggingface_hub's own requests to a hub on this machine."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vlrl.cli import app
from vlrl.commands.sharing.parcel import parcel_of
from vlrl.commands.sharing.push import upload
from vlrl.errors import ConfigError

CARD = "---\ntags: [vlrl]\n---\n# mine\n"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with two models, one of them with an adapter."""
    for name in ("model", "model_sft"):
        folder = tmp_path / "run" / name
        folder.mkdir(parents=True)
        for file, text in (("config.json", "{}"), ("tokenizer.json", "{}"), ("README.md", CARD)):
            (folder / file).write_text(text)
        (folder / "model.safetensors").write_bytes(name.encode() * 300)
    adapter = tmp_path / "run" / "model" / "adapter"
    adapter.mkdir()
    base = {"base_model_name_or_path": str(tmp_path / "run" / "model_sft"), "r": 2}
    (adapter / "adapter_config.json").write_text(json.dumps(base))
    (adapter / "adapter_model.safetensors").write_bytes(b"a")
    (tmp_path / "run" / "model" / ".secret").write_text("mine")
    (tmp_path / "run" / "run_card.json").write_text("{}")
    return tmp_path / "run"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's interface as a commit of small files takes; `server.asked` has what came."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, body))
        if self.server.refuses:
            self._answer(401, {"error": "Invalid username or password."})
        elif self.path.endswith("/create"):
            self._answer(200, {"url": f"http://{self.headers['Host']}/me/mine", "id": "1"})
        elif "/preupload/" in self.path:
            names = [file["path"] for file in json.loads(body)["files"]]
            modes = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
            self._answer(200, {"files": modes})
        elif "/commit/" in self.path:
            url = f"http://{self.headers['Host']}/me/mine/commit/abc"
            self._answer(200, {"success": True, "commitOid": "abc", "commitUrl": url})
        else:
            self._answer(200, {})

    def do_GET(self) -> None:
        self._answer(404, {"error": "not found"})

    def _answer(self, code: int, held: dict[str, object]) -> None:
        data = json.dumps(held).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked, server.refuses = [], False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def address(hub: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{hub.server_address[1]}"


def test_a_model_arrives_byte_for_byte_with_its_card_and_no_folder_of_the_machine(run: Path, hub: ThreadingHTTPServer):
    assert upload(parcel_of(run), "me/mine", private=True, endpoint=address(hub)).endswith("/me/mine/commit/abc")
    made = json.loads(hub.asked[0][1])
    assert hub.asked[0][0] == "/api/repos/create"
    assert (made["name"], made["organization"], made.get("private"), made.get("visibility")) in (
        ("mine", "me", True, None),
        ("mine", "me", None, "private"),
    )
    commit = next(body for path, body in hub.asked if "/api/models/me/mine/commit/main" in path)
    entries = [json.loads(line) for line in commit.splitlines()]
    sent = {one["value"]["path"]: base64.b64decode(one["value"]["content"]) for one in entries if one["key"] == "file"}
    assert sorted(sent) == [
        "README.md",
        "adapter/adapter_config.json",
        "adapter/adapter_model.safetensors",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert json.loads(sent.pop("adapter/adapter_config.json")) == {"base_model_name_or_path": "run/model_sft", "r": 2}
    for name, content in sent.items():
        assert content == (run / "model" / name).read_bytes()
    assert str(run.parent).encode() not in commit


def test_what_the_hub_refuses_is_one_message_with_its_address(run: Path, hub: ThreadingHTTPServer):
    hub.refuses = True
    with pytest.raises(ConfigError, match="hf auth login") as told:
        upload(parcel_of(run), "me/mine", endpoint=address(hub))
    assert address(hub) in told.value.problem
    with pytest.raises(ConfigError, match="gave:"):
        upload(parcel_of(run), "me/mine", endpoint="http://127.0.0.1:9")


def test_a_dry_run_shows_files_sizes_and_card_and_asks_nobody(run: Path, hub: ThreadingHTTPServer, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", address(hub))
    shown = CliRunner().invoke(app, ["push", str(run), "me/mine", "--model", "model_sft", "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert "model me/mine" in shown.output
    assert "model.safetensors │ 0.003" in " ".join(shown.output.split()) or "0.003" in shown.output
    assert "4 files" in shown.output
    assert "# mine" in shown.output
    assert hub.asked == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda run: (run / "model" / "README.md").unlink(), "has no README.md"),
        (lambda run: (run / "model" / "model.safetensors").unlink(), "lacks model.safetensors"),
        (lambda run: (run / "model" / "config.json").unlink(), "has no model/.*model_sft"),
    ],
)
def test_what_is_not_whole_is_refused(run: Path, change, said: str):
    change(run)
    with pytest.raises(ConfigError, match=f"(?s){said}"):
        parcel_of(run)


def test_what_is_no_model_and_no_name_is_refused(run: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="is no run"):
        parcel_of(run / "model", "model_sft")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="train it first"):
        parcel_of(tmp_path / "empty")
    with pytest.raises(ConfigError, match="no such folder"):
        parcel_of(tmp_path / "nothing")
    for name in ("mine", "me/mine/again", "me/.."):
        shown = CliRunner().invoke(app, ["push", str(run), name, "--dry-run"])
        assert isinstance(shown.exception, ConfigError), name
