"""How programs of models are isolated, and what they may take."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, model_validator

from vlrl.config import PACE, Settings
from vlrl.errors import ConfigError

Isolation = Literal["bubblewrap", "rlimits", "remote"]


class Limits(Settings):
    """What one run of a program may take. More is the program's failure, never the sandbox's."""

    cpu_seconds: float = Field(default=4.0, gt=0.0, le=600.0, description="processor time of all its processes")
    wall_seconds: float = Field(
        default=10.0, gt=0.0, le=3600.0, description="by the clock, less what it waited for a processor"
    )
    memory_mib: int = Field(default=512, ge=16, description="of all its processes together, besides the runtime's own")
    processes: int = Field(default=64, ge=1, le=4096, description="processes and threads at a time")
    output_mib: int = Field(default=8, ge=1, le=1024, description="of each of its files, and of standard output")
    disk_mib: int = Field(default=64, ge=1, le=4096, description="of all its files in /tmp")
    open_files: int = Field(default=128, ge=16, le=4096, description="open at a time")


COMPILING = Limits(cpu_seconds=20.0, wall_seconds=30.0, memory_mib=1024, output_mib=64, disk_mib=128)


class SandboxSettings(Settings):
    """Where programs run: `isolation: bubblewrap` (on this host), `remote` (a service), `rlimits` (hardly isolated).

    None of it changes a verdict but the limits; they may be set for each problem, too (time_limit, memory_limit).
    """

    isolation: Isolation = Field(
        default="bubblewrap",
        description="bubblewrap, remote, or rlimits: limits alone, on your own responsibility; the run card says so",
        json_schema_extra=PACE,
    )
    url: str | None = Field(default=None, description="of a service, for remote", json_schema_extra=PACE)
    interface: Literal["sandbox_fusion", "openenv"] = Field(
        default="sandbox_fusion",
        description="what the service at url speaks; openenv: a server that runs Python, as OpenEnv's coding_env",
        json_schema_extra=PACE,
    )
    boxes: int | None = Field(
        default=None, ge=1, le=512, description="programs at a time; default: one a core", json_schema_extra=PACE
    )
    python: str | None = Field(
        default=None, description="interpreter for Python programs; default: the system's, or vlrl's own"
    )
    limits: Limits = Field(default=Limits(), description="of one run")
    compiling: Limits = Field(default=COMPILING, description="of one compilation")

    @model_validator(mode="after")
    def _complete(self) -> SandboxSettings:
        if (self.isolation == "remote") != (self.url is not None):
            problem = "is missing" if self.url is None else f"is {self.url!r}, with isolation {self.isolation}"
            raise ConfigError("sandbox, url", problem, "write {isolation: remote, url: http://host:8080}, or neither")
        if self.url is None and self.interface != "sandbox_fusion":
            raise ConfigError("sandbox, interface", f"is {self.interface!r}, without a service", "give its url, too")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ConfigError("sandbox, url", f"{self.url!r} is no web address", "write e.g. http://host:8080")
        return self

    @property
    def count(self) -> int:
        """Programs at a time."""
        return self.boxes or max(1, len(os.sched_getaffinity(0)))
