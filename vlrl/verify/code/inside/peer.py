"""Two processes that use each other's functions without sharing memory: plain data goes by value.

It runs inside of the sandbox, on both sides of a tester's socket, with the standard library alone. What isn't plain
data (functions, objects, generators) stays where it is and is known to the other side by a number. So what a tested
program returns is data of the tester's own: an object that claims to equal everything stays behind a `Remote`, which
equals itself alone.
"""

import builtins
import json
import socket
from collections.abc import Callable
from typing import Any

from plain_data import PlainError, decode, encode  # type: ignore[import-not-found]

MAX_BYTES = 64 << 20


class Gone(BaseException):
    """The other side has ended; no `except Exception` of a test takes it for an error of the program's."""


class Peer:
    """One side of the socket: asks, and answers while it waits.

    generous  whether the other side may do all that an object allows; else it may only call functions that were given
              to it as arguments
    """

    def __init__(self, channel: socket.socket, generous: bool) -> None:
        self.channel, self.generous = channel, generous
        self.unread = b""
        self.gone = ""
        self.held: dict[int, Any] = {}
        self.remotes: dict[int, Remote] = {}
        self.names: dict[str, Any] = {}

    # -- values

    def keep(self, value: Any) -> Any:
        if type(value) is Remote and _peer_of(value) is self:
            return {"yours": _number_of(value)}
        for number, held in self.held.items():
            if held is value:
                return {"mine": number}
        self.held[len(self.held)] = value
        return {"mine": len(self.held) - 1}

    def known(self, tag: str, inner: Any) -> Any:
        if tag == "mine" and type(inner) is int:
            return self.remotes.setdefault(inner, Remote(self, inner))
        if tag == "yours" and inner in self.held:
            return self.held[inner]
        raise PlainError(f"an unknown tag {tag!r}")

    # -- messages

    def send(self, message: Any) -> None:
        try:
            self.channel.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise self.left("it has ended") from error

    def left(self, why: str) -> Gone:
        """Remembered, so that a test that passes over it doesn't pass."""
        self.gone = self.gone or why
        return Gone(why)

    def receive(self) -> Any:
        while b"\n" not in self.unread:
            try:
                more = self.channel.recv(1 << 16)
            except OSError as error:
                raise self.left("it has ended") from error
            if not more or len(self.unread) > MAX_BYTES:
                raise self.left("it has ended")
            self.unread += more
        line, _, self.unread = self.unread.partition(b"\n")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self.left("it sends no messages") from error
        if type(message) is not dict:
            raise self.left("it sends no messages")
        return message

    def ask(self, what: str, target: Any, arguments: "tuple[Any, ...]" = (), named: Any = None) -> Any:
        """Has the other side do something; its result, or its error raised here by the same name."""
        body = {"do": what, "target": target}
        body["arguments"] = [encode(item, self.keep) for item in arguments]
        body["named"] = {name: encode(item, self.keep) for name, item in (named or {}).items()}
        self.send(body)
        while True:
            message = self.receive()
            if "do" in message:
                self.answer(message)
                continue
            try:
                self.update(arguments, message.get("arguments", []))
                if "error" in message:
                    raise error_named(str(message["error"]), str(message.get("text", ""))[:2000])
                return decode(message.get("result"), self.known)
            except PlainError as error:
                raise self.left(f"it sends no values: {error}") from error

    def update(self, arguments: "tuple[Any, ...]", changed: Any) -> None:
        """Lists, dicts, sets and byte arrays that the other side has changed in place are changed here, too."""
        for item, said in zip(arguments, changed, strict=False):
            if said is None:
                continue
            value = decode(said, self.known)
            if type(value) is not type(item):
                continue
            if isinstance(item, (list, bytearray)):
                item[:] = value
            elif isinstance(item, (dict, set)):
                item.clear()
                item.update(value)

    def answer(self, message: Any) -> None:
        """Does what the other side asks for, and says what came of it."""
        try:
            arguments = [decode(item, self.known) for item in message.get("arguments", [])]
            named = {name: decode(item, self.known) for name, item in message.get("named", {}).items()}
            result = self.do(message["do"], message.get("target"), arguments, named)
            said = {"result": encode(result, self.keep)}
        except Gone:
            raise
        except BaseException as error:
            said = {"error": type(error).__name__, "text": str(error)}
            arguments = []
        try:
            said["arguments"] = [encode(a, self.keep) if isinstance(a, CHANGING) else None for a in arguments]
        except PlainError:
            said["arguments"] = []
        self.send(said)

    def do(self, what: str, target: Any, arguments: "list[Any]", named: "dict[str, Any]") -> Any:
        if what == "name" and self.generous:
            return self.names[target]
        held = self.held[target]
        if what == "call":
            return held(*arguments, **named)
        if not self.generous:
            raise PermissionError("functions alone are lent")
        return OPERATIONS[what](held, *arguments)


CHANGING = (list, dict, set, bytearray)


def step(value: Any) -> Any:
    """The next item of an iterator in a list; an empty one at its end."""
    for item in value:
        return [item]
    return []


OPERATIONS: "dict[str, Callable[..., Any]]" = {
    "get": getattr,
    "set": setattr,
    "item": lambda value, key: value[key],
    "set_item": lambda value, key, item: value.__setitem__(key, item),
    "length": len,
    "contains": lambda value, item: item in value,
    "iterate": iter,
    "step": step,
    "text": str,
    "repr": repr,
    "equal": lambda value, other: bool(value == other),
    "less": lambda value, other: bool(value < other),
    "truth": bool,
    "hash": hash,
    "add": lambda value, other: value + other,
    "is_callable": callable,
}


def error_named(name: str, text: str) -> BaseException:
    """An error of this name that Python has; any other is a plain Exception with the name in its text."""
    kind = getattr(builtins, name, None)
    ends_loops = ("StopIteration", "StopAsyncIteration")  # in `all(map(f, …))` they would pass for the end of the list
    if isinstance(kind, type) and issubclass(kind, Exception) and name not in ends_loops:
        try:
            return kind(text)
        except TypeError:
            return Exception(f"{name}: {text}")
    return Exception(f"{name}: {text}")


class Remote:
    """What stays on the other side. It equals itself, and what the other side says of two of its own."""

    __slots__ = ("_number", "_peer")

    def __init__(self, peer: Peer, number: int) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_number", number)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return _ask(self, "call", *arguments, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _ask(self, "get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        _ask(self, "set", name, value)

    def __getitem__(self, key: Any) -> Any:
        return _ask(self, "item", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        _ask(self, "set_item", key, value)

    def __len__(self) -> int:
        return int(_ask(self, "length"))

    def __contains__(self, item: Any) -> bool:
        return _ask(self, "contains", item) is True

    def __iter__(self) -> Any:
        items = _ask(self, "iterate")
        while True:
            got = _ask(items, "step")
            if type(got) is not list or len(got) != 1:
                return
            yield got[0]

    def __next__(self) -> Any:
        got = _ask(self, "step")
        if type(got) is not list or len(got) != 1:
            raise StopIteration
        return got[0]

    def __str__(self) -> str:
        return str(_ask(self, "text"))

    def __repr__(self) -> str:
        return str(_ask(self, "repr"))

    def __eq__(self, other: Any) -> bool:
        if other is self:
            return True
        return type(other) is Remote and _ask(self, "equal", other) is True

    def __lt__(self, other: Any) -> bool:
        return type(other) is Remote and _ask(self, "less", other) is True

    def __add__(self, other: Any) -> Any:
        return _ask(self, "add", other)

    def __hash__(self) -> int:
        return _number_of(self)

    def __bool__(self) -> bool:
        return _ask(self, "truth") is True


def _peer_of(remote: Remote) -> Peer:
    peer: Peer = object.__getattribute__(remote, "_peer")
    return peer


def _number_of(remote: Remote) -> int:
    return int(object.__getattribute__(remote, "_number"))


def _ask(remote: Remote, what: str, *arguments: Any, **named: Any) -> Any:
    return _peer_of(remote).ask(what, _number_of(remote), arguments, named)
