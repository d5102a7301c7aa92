"""What calls the verifiers of plugin files, in worker processes that a fork server has forked: see `guarded`.

`fork_server` loads it by its path. A job holds the verifier's name, and pickled: the function itself where it isn't
filed under that name by a plugin (else None), the problem and the response. The reply holds the fields of a Verdict.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
import sys
from dataclasses import asdict
from typing import Any

LIMITED_ONCE_LOADED = True  # a plugin may import what it likes; a verdict may take only so much beside it


def load(argument: str) -> Any:
    """The registry of verifiers with those of the plugins in it."""
    given = json.loads(argument)
    sys.path[:] = [one or os.getcwd() for one in given["path"]]
    import vlrl.verify
    from vlrl.registry import load_plugin
    from vlrl.verify.judge import verifiers
    from vlrl.verify.plugins import guarded

    guarded.in_worker = True
    assert vlrl.verify
    for plugin in given["plugins"]:
        load_plugin(plugin)
    return verifiers


def answer(verifiers: Any, job: dict[str, Any]) -> dict[str, Any]:
    """The verdict on one response. MemoryError is the caller's to tell; all else that is raised is told by name."""
    from vlrl.verify.plugins.returned import as_verdict

    try:
        check, problem, response = pickle.loads(base64.b64decode(job["call"]))
        returned = (check or verifiers.get(job["verifier"]))(problem, response)
        verdict = as_verdict(returned, job["verifier"])
    except MemoryError:
        raise
    except BaseException as error:  # SystemExit, too: it is the verifier's, and no end of this process
        return {"error": f"{type(error).__name__}: {error}"[:2000]}
    if verdict.fault is not None:
        return {"error": verdict.fault.removeprefix(f"{job['verifier']}: ")}
    return asdict(verdict)
