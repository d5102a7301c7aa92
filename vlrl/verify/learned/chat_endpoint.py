"""A model behind OpenAI's chat interface: vLLM's server, SGLang, llama.cpp, or a provider's."""

from __future__ import annotations

import base64
import io
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

import PIL.Image
from pydantic import Field

from vlrl.config import PACE, Settings
from vlrl.errors import ConfigError, did_you_mean
from vlrl.types import Image, Text

MAX_REPLY_BYTES = 1 << 20
RETRIED = frozenset((408, 429, 500, 502, 503, 504))
SHOWN = 200  # characters of a server's own words


@dataclass(frozen=True)
class Reply:
    """What a model wrote, and whether it ended by itself."""

    text: str
    ended: bool


class NoReplyError(Exception):
    """No usable reply came, also after all retries; the message says why."""


class EndpointSettings(Settings):
    """Where a served model is asked, and how patiently.

    url               e.g. "http://localhost:8000/v1"
    model             the name under which the server knows it
    api_key_variable  environment variable that holds the key; without it none is sent
    timeout_seconds   of one attempt
    retries           after a connection error or a status of 408, 429, 5xx, with a pause that doubles
    concurrency       questions that are open at a time
    """

    url: str = Field(json_schema_extra=PACE)
    model: str = Field(min_length=1)
    api_key_variable: str | None = Field(default=None, json_schema_extra=PACE)
    timeout_seconds: float = Field(default=60.0, gt=0.0, json_schema_extra=PACE)
    retries: int = Field(default=2, ge=0, json_schema_extra=PACE)
    pause_seconds: float = Field(default=1.0, ge=0.0, json_schema_extra=PACE)
    concurrency: int = Field(default=16, ge=1, json_schema_extra=PACE)

    def headers(self, place: str) -> dict[str, str]:
        """Of every request. Raises ConfigError for an address that is none of the web, or a key that isn't set."""
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError(
                f"{place}, url", f"{self.url!r} is no web address", 'write e.g. "http://localhost:8000/v1"'
            )
        found = {"Content-Type": "application/json"}
        if self.api_key_variable is not None:
            key = os.environ.get(self.api_key_variable)
            if not key:
                raise ConfigError(
                    f"{place}, api_key_variable", f"{self.api_key_variable} is not set", "export it first"
                )
            found["Authorization"] = f"Bearer {key}"
        return found

    def check(self, place: str) -> None:
        """Ask the server for its models. Raises ConfigError where nobody answers, the key isn't taken, or its list
        doesn't have this one; a server that has no list (404) is taken at its word.
        """
        request = urllib.request.Request(f"{self.url.rstrip('/')}/models", headers=self.headers(place))
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_seconds) as reply:
                names = [str(one["id"]) for one in json.loads(reply.read(MAX_REPLY_BYTES))["data"]]
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                raise ConfigError(
                    f"{place}.api_key_variable", f"{self.url} refuses the key: {_told(error)}", "export another key"
                ) from error
            return
        except (OSError, HTTPException) as error:
            raise ConfigError(
                f"{place}.url", f"{self.url} doesn't answer: {error}", "start the server first"
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"{place}.url",
                f"{self.url}/models is no list of models, so this is no server with OpenAI's interface",
                'give the address that ends in "/v1"',
            ) from error
        if names and self.model not in names:
            raise ConfigError(f"{place}.model", f"{self.url} serves no {self.model!r}", did_you_mean(self.model, names))

    def ask(
        self,
        prompt: Sequence[Text | Image],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        place: str = "endpoint",
    ) -> Reply:
        """One user's message, images as they are on disk. Raises NoReplyError; ConfigError as `headers` does."""
        content: str | list[dict[str, Any]] = [_part(piece) for piece in prompt]
        if all(isinstance(piece, Text) for piece in prompt):
            content = "".join(piece.text for piece in prompt if isinstance(piece, Text))
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": content}],
            "temperature": temperature,
            "seed": seed,
            "max_tokens": max_tokens,
        }
        address = f"{self.url.rstrip('/')}/chat/completions"
        request = urllib.request.Request(address, json.dumps(body).encode(), self.headers(place))
        for attempt in range(self.retries + 1):
            try:
                with urllib.request.urlopen(request, timeout=self.timeout_seconds) as reply:
                    return read_completion(reply.read(MAX_REPLY_BYTES))
            except urllib.error.HTTPError as error:
                if error.code not in RETRIED or attempt == self.retries:
                    raise NoReplyError(f"{address}: {_told(error)}") from error
            except (OSError, HTTPException) as error:
                if attempt == self.retries:
                    raise NoReplyError(f"{address}: {error}") from error
            time.sleep(self.pause_seconds * 2**attempt)
        raise AssertionError("the loop returns or raises")


def read_completion(body: bytes) -> Reply:
    """The text of a chat completion. Raises NoReplyError if the body is none."""
    try:
        choice = json.loads(body)["choices"][0]
        text = choice["message"]["content"]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise NoReplyError(f"not a chat completion: {body[:SHOWN]!r}") from error
    if not isinstance(text, str):
        raise NoReplyError(f"a chat completion without text: {body[:SHOWN]!r}")
    return Reply(text, choice.get("finish_reason") != "length")


def _part(piece: Text | Image) -> dict[str, Any]:
    if isinstance(piece, Text):
        return {"type": "text", "text": piece.text}
    data = piece.read_bytes()
    with PIL.Image.open(io.BytesIO(data)) as opened:
        kind = PIL.Image.MIME.get(opened.format or "", "image/png")
    return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{base64.b64encode(data).decode()}"}}


def _told(error: urllib.error.HTTPError) -> str:
    """A status with the server's own words."""
    said = error.read(SHOWN).decode(errors="replace")
    return " ".join(f"HTTP {error.code} {said}".split())
