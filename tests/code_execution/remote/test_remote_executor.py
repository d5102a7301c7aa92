"""The same protocol against a service: small local servers that speak SandboxFusion's and OpenEnv's interfaces."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from vlrl.code_execution.executor import make
from vlrl.code_execution.languages import LANGUAGES
from vlrl.code_execution.outcome import Program
from vlrl.code_execution.remote import remote_executor
from vlrl.code_execution.sandbox_settings import Limits, SandboxSettings
from vlrl.errors import ConfigError


class Service(BaseHTTPRequestHandler):
    """POST /run_code of SandboxFusion for Python and bash, and replies that a test plants."""

    planted: ClassVar[list] = []
    asked: ClassVar[list] = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        if self.planted:
            status, said = self.planted.pop(0)
        else:
            status, said = 200, {"/run_code": self.run, "/step": self.step}[self.path](body)
        data = json.dumps(said).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(data)

    def run(self, body):
        command = [sys.executable, "-c"] if body["language"] == "python" else ["bash", "-c"]
        for data in body.get("files", {}).values():
            base64.b64decode(data)
        try:
            ran = subprocess.run(
                [*command, body["code"]],
                input=body.get("stdin") or "",
                capture_output=True,
                text=True,
                timeout=body.get("run_timeout", 10),
            )
        except subprocess.TimeoutExpired:
            return {"status": "Failed", "message": "", "run_result": {"status": "TimeLimitExceeded"}}
        result = {"status": "Finished", "execution_time": 0.1, "return_code": ran.returncode}
        result |= {"stdout": ran.stdout, "stderr": ran.stderr}
        return {"status": "Failed" if ran.returncode else "Success", "message": "", "run_result": result}

    def step(self, body):
        """As a server of OpenEnv whose environment runs Python in a process."""
        try:
            ran = subprocess.run(
                [sys.executable, "-c", body["action"]["code"]],
                capture_output=True,
                text=True,
                timeout=body["timeout_s"],
            )
        except subprocess.TimeoutExpired:
            return {"observation": {"stdout": "", "stderr": "", "exit_code": 124}, "reward": None, "done": False}
        seen = {"stdout": ran.stdout, "stderr": ran.stderr, "exit_code": ran.returncode}
        return {"observation": seen, "reward": None, "done": False}

    def log_message(self, *_):
        pass


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(remote_executor, "PAUSE_SECONDS", 0.0)
    Service.planted, Service.asked = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def over(service, interface):
    return make(SandboxSettings(isolation="remote", url=service, interface=interface, limits=Limits(wall_seconds=1.0)))


@pytest.fixture
def executor(service):
    return over(service, "sandbox_fusion")


@pytest.mark.parametrize("interface", remote_executor.INTERFACES)
@pytest.mark.parametrize(
    ("source", "ended", "stdout"),
    [
        ("print(int(input()) * 2)", "finished", b"42\n"),
        ("1 / 0", "runtime_error", b""),
        ("import time; time.sleep(5)", "time_limit", b""),
    ],
)
def test_a_program_runs_there(service, interface, source, ended, stdout):
    result = over(service, interface).prepare(Program("python", source)).run(b"21\n")
    assert (result.ended, result.stdout) == (ended, stdout)


def test_what_is_asked_is_what_the_interface_names(executor):
    executor.prepare(Program("js", "1", {"a.txt": b"x"})).run(b"in")
    asked = Service.asked[-1]
    assert asked["language"] == "nodejs"
    assert asked["files"] == {"a.txt": base64.b64encode(b"x").decode()}
    assert (asked["stdin"], asked["run_timeout"], asked["compile_timeout"]) == ("in", 1.0, 30.0)


COMPILED = {"status": "Finished", "return_code": 0}


@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ({"status": "SandboxError", "message": "no room"}, "sandbox_fault"),
        (
            {"status": "Failed", "compile_result": {"status": "Finished", "return_code": 1, "stderr": "e"}},
            "compile_error",
        ),
        ({"status": "Failed", "compile_result": {"status": "TimeLimitExceeded"}}, "compile_error"),
        ({"status": "Failed", "compile_result": COMPILED, "run_result": {"status": "Error"}}, "sandbox_fault"),
        ({"status": "Failed", "compile_result": COMPILED}, "sandbox_fault"),
        (
            {"status": "Success", "compile_result": COMPILED, "run_result": {"status": "Finished", "return_code": 0}},
            "finished",
        ),
        ({"something": "else"}, "sandbox_fault"),
        ({"status": "Success", "run_result": {"status": "New"}}, "sandbox_fault"),
    ],
)
def test_what_a_reply_means(executor, said, ended):
    Service.planted = [(200, said)]
    assert executor.prepare(Program("cpp", "")).run().ended == ended


def test_a_busy_service_is_asked_again_and_a_broken_one_is_a_fault(executor):
    Service.planted = [(503, {}), (429, {})]
    assert executor.prepare(Program("python", "print(1)")).run().stdout == b"1\n"
    Service.planted = [(503, {})] * 3
    assert executor.prepare(Program("python", "print(1)")).run().is_fault
    Service.planted = [(422, {"detail": "no"})]
    ended = executor.prepare(Program("python", "print(1)")).run()
    assert ended.is_fault
    assert "422" in ended.note


def test_an_address_where_nothing_answers_is_refused():
    with pytest.raises(ConfigError, match="start the service"):
        make(SandboxSettings(isolation="remote", url="http://127.0.0.1:9"))


@pytest.mark.parametrize(
    "settings",
    [{"isolation": "remote"}, {"url": "http://x"}, {"isolation": "remote", "url": "ftp://x"}, {"interface": "openenv"}],
)
def test_settings_that_do_not_fit_are_refused(settings):
    with pytest.raises(ConfigError, match=r"sandbox, (url|interface)"):
        SandboxSettings(**settings)


def test_a_service_that_speaks_another_interface_than_is_named_is_refused(service):
    Service.planted = [(200, {"observation": {"status": "ready"}})]
    with pytest.raises(ConfigError, match=r"interface sandbox_fusion[\s\S]*no reply of SandboxFusion"):
        over(service, "sandbox_fusion")
    Service.planted = [(200, {"observation": {"stdout": "", "stderr": "import of io is not allowed", "exit_code": 1}})]
    with pytest.raises(ConfigError, match="import of io is not allowed"):
        over(service, "openenv")


def test_what_an_openenv_server_cannot_take_is_refused_by_name(service):
    there = over(service, "openenv")
    assert set(there.missing()) == set(LANGUAGES) - {"python"}
    with pytest.raises(ConfigError, match="runs Python, not cpp"):
        there.prepare(Program("cpp", ""))
    with pytest.raises(ConfigError, match="no files"):
        there.prepare(Program("python", "", {"a.txt": b""}))
    Service.planted = [(200, {"observation": {}})]
    assert there.prepare(Program("python", "")).run().is_fault


def test_standard_input_reaches_a_program_there_as_bytes(service):
    source = "import sys\nprint(sys.stdin.buffer.read() == 'ä\\n\\x00'.encode(), 'end')"
    assert over(service, "openenv").prepare(Program("python", source)).run("ä\n\x00".encode()).stdout == b"True end\n"
    raw = "import sys\nprint(list(sys.stdin.buffer.read()))"
    assert over(service, "openenv").prepare(Program("python", raw)).run(b"\xff'").stdout == b"[255, 39]\n"


def test_a_program_there_begins_at_its_own_first_line(service):
    source = '"""\'Mine\'"""\nfrom __future__ import annotations\nprint(__name__, __doc__)\n1 / 0'
    ended = over(service, "openenv").prepare(Program("python", source)).run()
    assert ended.stdout == b"__main__ 'Mine'\n"
    assert b'"main.py", line 4' in ended.stderr
