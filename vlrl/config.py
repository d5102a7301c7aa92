"""Settings: frozen pydantic models, one YAML a run, dotted overrides. Unknown keys are errors with a suggestion."""

from __future__ import annotations

import copy
import json
import os
import re
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from vlrl.errors import ConfigError, VlrlError, did_you_mean
from vlrl.installation import shipped

Effect = Literal["result", "pace", "length"]
RESULT: dict[str, Any] = {"effect": "result"}
PACE: dict[str, Any] = {"effect": "pace"}
LENGTH: dict[str, Any] = {"effect": "length"}


class Settings(BaseModel):
    """Base of every settings block: frozen, and unknown keys are refused.

    A field declares what it changes with `Field(…, json_schema_extra=PACE)`, for a run that goes on with another value:

        RESULT  the weights, or the figures that are compared with earlier ones: refused. Also what isn't declared
        PACE    how the work is cut up, how often it is looked at, and where it runs: allowed. The same mathematics; the
                last bits of a sum may differ from there on
        LENGTH  how long a stage goes on: allowed, also behind its end, as long as no later stage has begun

    What is declared of a block holds for all fields in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _plain_values(cls, given: Any) -> Any:
        """YAML's yes and no, on and off are truth values, which Python would count as 1 and 0. Numbers beyond 64 bits
        and texts with NUL are values that no library below can take: seeds, counts, paths.
        """
        if isinstance(given, Mapping):
            for name, value in given.items():
                if (why := _unusable(value)) is not None:
                    raise ValueError(f"{name} {why}")
            for name, field in cls.model_fields.items():
                if isinstance(given.get(name), bool) and not takes_truth(field.annotation):
                    raise ValueError(
                        f"{name} is {'yes' if given[name] else 'no'} (true or false), which is no value of it"
                    )
        return given

    def effect_of(self, name: str) -> Effect | None:
        """What this field is declared to change; None without a declaration. For a rule that reads other fields."""
        return declared_effect(type(self), name)


def _unusable(value: Any) -> str | None:
    """Why a plain value, or one in a list of them, can't be a setting's; None where it can."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(_unusable, value)), None)
    if isinstance(value, str) and "\0" in value:
        return f"is {value!r}, with a NUL character"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return f"is {value}, beyond whole numbers of 64 bits"
    return None


def _folder_name(name: str) -> str:
    """A name that is a folder's below runs/, `/` between several."""
    parts = name.split("/")
    if not name.isprintable() or {"", ".", ".."} & set(parts) or max(len(part.encode()) for part in parts) > LONGEST:
        raise ValueError(
            "is the name of a folder below runs/: printable characters, no `.` or `..`, no `/` in front or behind, "
            f"at most {LONGEST} bytes"
        )
    return name


def takes_truth(annotation: Any) -> bool:
    """Whether a field of this type may be true or false."""
    if annotation in (bool, Any) or isinstance(annotation, str):
        return True
    if get_origin(annotation) is Literal:
        return any(isinstance(one, bool) for one in get_args(annotation))
    if get_origin(annotation) in (Union, types.UnionType, Annotated):
        return any(takes_truth(one) for one in get_args(annotation))
    return isinstance(annotation, TypeVar)


def declared_effect(model: type[BaseModel], name: str) -> Effect | None:
    """What a field of a settings class is declared to change; None without a declaration."""
    extra = model.model_fields[name].json_schema_extra
    found = extra.get("effect") if isinstance(extra, Mapping) else None
    return cast("Effect | None", found)


LONGEST = 200  # bytes of a folder's name; files beside it are named after it, and file systems take 255
FolderName = Annotated[str, Field(min_length=1), AfterValidator(_folder_name)]  # of a run, chain or ablation
FolderPath = Annotated[str, Field(min_length=1)]
Threads = Annotated[int, Field(ge=1, le=1024)]  # CPU threads of torch

S = TypeVar("S", bound=Settings)
SHOWN = 60  # characters of a block of settings that a message repeats
_PLAIN = {
    "tuple_type": "is no list; write [one, another]",
    "dict_type": "is no block of keys; write {key: value}",
    "model_type": "is no block of keys; write {key: value}",
    "string_type": "is no text; a number or a date in quotes is one",
}
_OF_UNION = re.compile(r"float|int|str|bool|.*\[.*|function-.*")  # what pydantic calls the members of a union
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def read_yaml(path: str | Path, kind: shipped.Kind = "config") -> dict[str, Any]:
    """A YAML mapping from a file. `${NAME}` and `${NAME:-default}` are taken from the environment; `${NAME:-}` may be
    empty.

    What is no file may be the name of a shipped one of that kind (`vlrl.installation.shipped`).

    Raises ConfigError for a missing file, malformed YAML (with line), a variable that isn't set or is
    empty, a non-mapping.
    """
    file = shipped.locate(path, kind)
    if not file.is_file():
        raise shipped.not_there(path, kind)
    try:
        loaded = yaml.load(file.read_text(encoding="utf-8"), Loader=_StrictLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(
            f"{path}{line}",
            f"not valid YAML: {getattr(error, 'problem', error)}",
            "mend that line: spaces in front of keys, closed quotes and brackets, plain values, one document a file",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(str(path), f"is not UTF-8 text: {error}", "save it as UTF-8") from error
    except OSError as error:
        raise ConfigError(str(path), f"can't be read: {error.strerror}", "check its permissions") from error
    except (ValueError, TypeError) as error:  # of a date such as 2020-13-45, or a key that is a list
        raise ConfigError(str(path), f"holds a value that can't be read: {error}", "put it in quotes") from error
    if loaded is None:
        loaded = {}
    if not isinstance(loaded, dict):
        raise ConfigError(str(path), f"holds {type(loaded).__name__}, not settings", "write `key: value` lines")
    try:
        expanded: dict[str, Any] = _expand(loaded, str(path), "")
    except RecursionError as error:
        raise ConfigError(str(path), "an anchor holds itself", "write the block out") from error
    return expanded


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML that refuses a key given twice and reads 1e-4 as a number (YAML 1.1 wants 1.0e-4).

    Merge keys (`<<`) are laid under the keys beside them.
    """


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    own = [(key, value) for key, value in node.value if key.tag != "tag:yaml.org,2002:merge"]
    keys = [loader.construct_object(key, deep=True) for key, _ in own]
    for i, key in enumerate(keys):
        if key in keys[:i]:
            raise yaml.MarkedYAMLError(problem=f"key {key!r} is given twice", problem_mark=own[i][0].start_mark)
    loader.flatten_mapping(node)  # what is merged comes first, so that the own keys win
    return dict(loader.construct_pairs(node, deep=True))


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_StrictLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)$"),
    list("-+0123456789."),
)


def _expand(value: Any, file: str, key: str) -> Any:
    if isinstance(value, dict):
        return {k: _expand(v, file, f"{key}.{k}" if key else str(k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, file, f"{key}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        held = os.environ.get(match[1])
        found = held or match[2]  # an empty one counts as not set, as `:-` has it in a shell
        if found is None:
            said = "is not set" if held is None else "is empty"
            raise ConfigError(f"{file}, {key}", f"the environment variable {match[1]} {said}", f"export {match[1]}=…")
        return found

    return _VARIABLE.sub(fill, value)


def apply_overrides(settings: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of `settings` with `dotted.key=value` overrides; values are read as YAML. Raises ConfigError.

    An item of a list goes by its number from 0, `stages.0=sft` or `stages[0]=sft`; the number behind the last adds one.
    """
    merged = copy.deepcopy(settings)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not all(key.split(".")):
            raise ConfigError(f"command line, {override!r}", "is not an override", "write dotted.key=value")
        try:
            value = yaml.load(text, Loader=_StrictLoader)
        except yaml.YAMLError as error:
            remedy = "close its brackets and quotes, and put it in the shell's quotes: 'key={a: 1}'"
            raise ConfigError(f"command line, {override!r}", "the value is not valid YAML", remedy) from error
        _put(merged, re.sub(r"\[(\d+)\]", r".\1", key).split("."), value, f"command line, {override!r}")
    return dict(merged)


def _put(place: Any, path: Sequence[str], value: Any, said: str) -> None:
    """Puts a value at a dotted place of nested mappings and lists, making mappings on the way."""
    *above, last = path
    for part in above:
        inner = _item(place, part, said)
        if isinstance(inner, str):  # `loss: kimi` and `loss.tau=0.2` together mean {name: kimi, tau: 0.2}
            inner = {"name": inner}
        elif inner is None:
            inner = {}
        elif not isinstance(inner, (dict, list)):
            raise ConfigError(said, f"{part!r} is a value, it has no keys below it")
        _set_item(place, part, inner, said)
        place = inner
    _set_item(place, last, value, said)


def _item(place: dict[Any, Any] | list[Any], part: str, said: str) -> Any:
    if isinstance(place, dict):
        return place.get(part)
    number = _number(place, part, said)
    return place[number] if number < len(place) else None


def _set_item(place: dict[Any, Any] | list[Any], part: str, value: Any, said: str) -> None:
    if isinstance(place, dict):
        place[part] = value
    elif (number := _number(place, part, said)) == len(place):
        place.append(value)
    else:
        place[number] = value


def _number(place: list[Any], part: str, said: str) -> int:
    if not part.isdecimal() or int(part) > len(place):
        raise ConfigError(
            said, f"{part!r} is no item of a list of {len(place)}", f"give a number from 0 to {len(place)}"
        )
    return int(part)


def build_settings(model: type[S], values: dict[str, Any], file: str) -> S:
    """Validated settings. Raises ConfigError with place, value and remedy for the first mistake."""
    try:
        return model.model_validate(values)
    except ConfigError as error:  # a component names its own place; the file goes in front
        place = error.place if error.place.startswith(file) else f"{file}, {error.place}"
        raise ConfigError(place, error.problem, error.remedy) from error
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"] if not (isinstance(part, str) and _OF_UNION.fullmatch(part))]
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, VlrlError):
            raise cause from error
        place = f"{file}, {'.'.join(path)}" if path else file
        if first["type"] == "extra_forbidden":
            known = _known_keys(model, path[:-1])
            raise ConfigError(place, f"unknown key {path[-1]!r}", did_you_mean(path[-1], known)) from error
        if first["type"] == "missing":
            raise ConfigError(place, "is missing", f"add `{path[-1]}:` to the file") from error
        shown = repr(first["input"])
        given = "" if isinstance(first["input"], dict) and len(shown) > SHOWN else f", got {shown}"
        message = _PLAIN.get(first["type"], first["msg"].removeprefix("Value error, "))
        of_block = first["type"] == "model_type" and "its keys: " + ", ".join(_known_keys(model, path))
        raise ConfigError(place, f"{message}{given}", of_block or _expected(model, path)) from error


def load_settings(model: type[S], path: str | Path, overrides: Sequence[str] = ()) -> S:
    """Settings from a YAML file and dotted overrides. Raises ConfigError."""
    return build_settings(model, apply_overrides(read_yaml(path), overrides), str(path))


def as_arguments(overrides: Mapping[str, Any]) -> list[str]:
    """Dotted overrides as the command line takes them; values in YAML's flow style, one line each."""
    return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, types.UnionType, list, tuple, dict):
        return [m for part in get_args(annotation) for m in _models_in(part)]
    return []


def _walk(model: type[BaseModel], path: Sequence[str]) -> list[type[BaseModel]]:
    models = [model]
    for part in path:
        found = [
            m for held in models if part in held.model_fields for m in _models_in(held.model_fields[part].annotation)
        ]
        if found:
            models = found
    return models


def _known_keys(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    return [name for held in _walk(model, path) for name in held.model_fields]


def _expected(model: type[BaseModel], path: Sequence[str]) -> str:
    if not path:
        return ""
    for held in _walk(model, path[:-1]):
        if path[-1] in held.model_fields:
            return held.model_fields[path[-1]].description or ""
    return ""
