"""Names → components. A stateless component *is* its settings: `{name: kimi, tau: 0.1}` becomes the callable object."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Annotated, Any, Generic, TypeVar, cast, get_type_hints

from pydantic import AfterValidator, BaseModel, BeforeValidator, PlainSerializer, TypeAdapter, ValidationError

from vlrl.config import Settings, takes_truth
from vlrl.errors import ConfigError, did_you_mean
from vlrl.installation.shipped import locate
from vlrl.types import content_digest

T = TypeVar("T")
PLUGIN = "vlrl_plugin_"  # how the modules of plugin files are called
_loading: list[str] = []  # plugin files that are being run, the inner one last


class Registry(Generic[T]):
    """The components of one kind (losses, verifiers, domains …) by name.

    A component is a class (a frozen pydantic model or dataclass whose fields are its settings) or a plain function.
    With a `base` every component is a subclass of it: what others ask of a component is declared there. Its abstract
    methods, and the fields or properties named in `has`, are what a component must have; `docs` says how to write one.
    `homes` are modules that file components of their own: they are imported when somebody first looks.
    """

    def __init__(
        self,
        kind: str,
        base: type | None = None,
        has: tuple[str, ...] = (),
        docs: str = "CONTRIBUTING.md",
        homes: tuple[str, ...] = (),
    ) -> None:
        self.kind, self.base, self._has, self._docs = kind, base, has, docs
        self._homes, self._at_home = homes, False
        self._entries: dict[str, Any] = {}
        self._origins: dict[str, tuple[Any, str]] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that files a component under `name`.

        Raises ConfigError if another one has the name, or if the component isn't a whole subclass of the registry's
        base.
        """

        def file(component: T) -> T:
            if _loading:
                self._fill()
            held = self._entries.get(name)
            if held is not None and (held.__module__, held.__qualname__) != (
                getattr(component, "__module__", None),
                getattr(component, "__qualname__", None),
            ):
                raise ConfigError(
                    f"{self.kind} {name!r}", f"is already registered by {held.__module__}", "choose another name"
                )
            self._refuse_less_than_the_base(name, component)
            self._entries[name] = component
            if _loading and not self._at_home:
                self._origins[name] = (component, _loading[-1])
            return component

        return file

    def _refuse_less_than_the_base(self, name: str, component: Any) -> None:
        if self.base is None:
            return
        place, base = f"{self.kind} {name!r}", f"{self.base.__module__}.{self.base.__qualname__}"
        if not (isinstance(component, type) and issubclass(component, self.base)):
            raise ConfigError(place, f"is no subclass of {base}", f"write `class …({self.base.__name__})`")
        fields = getattr(component, "model_fields", {})
        absent = [one for one in self._has if one not in fields and not hasattr(component, one)]
        if lacking := [*sorted(getattr(component, "__abstractmethods__", ())), *absent]:
            raise ConfigError(
                place,
                f"{component.__qualname__} has no {', '.join(lacking)}",
                f"{base} says what each is; see {self._docs}",
            )

    def _fill(self) -> None:
        """Import the homes, once; a home that looks here meanwhile finds what is there by then."""
        homes, self._homes = self._homes, ()
        if homes:
            self._at_home = True
            try:
                for home in homes:
                    importlib.import_module(home)
            except BaseException:
                self._homes = homes  # who looks next hears of it, too
                raise
            finally:
                self._at_home = False

    @contextmanager
    def temporarily(self, **components: Any) -> Iterator[None]:
        """What is filed in the block, and these `components`, go at its end; what was there before is there again."""
        self._fill()
        before, origins = dict(self._entries), dict(self._origins)
        self._entries.update(components)
        try:
            yield
        finally:
            self._entries, self._origins = before, origins

    def get(self, name: str) -> Any:
        """The class or function filed under `name`. Raises ConfigError with the closest known name."""
        self._fill()
        if name not in self._entries:
            raise ConfigError(f"{self.kind}", f"unknown {self.kind} {name!r}", did_you_mean(name, self._entries))
        return self._entries[name]

    def plugin_of(self, name: str) -> str | None:
        """The plugin file that filed what now stands under `name`; None where no plugin did."""
        component, file = self._origins.get(name, (None, None))
        return file if name in self._entries and component is self._entries[name] else None

    def name_of(self, component: Any) -> str | None:
        """The name that a component, or the class that it was made by, is filed under; None where it isn't."""
        return next((name for name in self if self._entries[name] in (component, type(component))), None)

    def names(self) -> list[str]:
        """All names, sorted."""
        self._fill()
        return sorted(self._entries)

    def __contains__(self, name: object) -> bool:
        self._fill()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    @staticmethod
    def _is(spec: Any, component: Any) -> bool:
        """Whether an object is a component already: the function itself, or made by the class."""
        return isinstance(spec, component) if isinstance(component, type) else spec is component

    def build(self, spec: Any, default: str | None = None) -> Any:
        """A component from `"name"`, `{name: …, setting: …}` or an object that already is one.

        `default` is the name that settings without one belong to.

        Raises ConfigError for an unknown name, an unknown setting (with a suggestion) or a wrong type.
        """
        if isinstance(spec, str):
            spec = {"name": spec}
        if not isinstance(spec, dict):
            self._fill()
            made = isinstance(spec, Settings) or any(self._is(spec, one) for one in self._entries.values())
            if spec is not None and made:
                return spec
            said = "is null" if spec is None else f"is {spec!r}"
            raise ConfigError(self.kind, said, f"write a name ({', '.join(self.names())}), or {{name: …, setting: …}}")
        if "name" not in spec and default is not None:
            spec = {"name": default, **spec}
        if "name" not in spec:
            raise ConfigError(self.kind, f"no name in {spec!r}", f"write {{name: one of {', '.join(self.names())}}}")
        settings = {k: v for k, v in spec.items() if k != "name"}
        component = self.get(str(spec["name"]))
        if not isinstance(component, type):
            if settings:
                raise ConfigError(f"{self.kind} {spec['name']!r}", f"takes no settings, got {sorted(settings)}")
            return component
        return _construct(f"{self.kind} {spec['name']!r}", component, settings)


def _construct(place: str, component: type, settings: dict[str, Any]) -> Any:
    if issubclass(component, BaseModel):
        known = [n for n in component.model_fields if n != "name"]
    elif dataclasses.is_dataclass(component):
        known = [f.name for f in dataclasses.fields(component) if f.init]
        hints = get_type_hints(component)
        for key, value in settings.items():
            if isinstance(value, bool) and key in hints and not takes_truth(hints[key]):
                raise ConfigError(
                    f"{place}, {key}", f"is {'yes' if value else 'no'} (true or false)", "give a value of it"
                )
    else:
        known = []
    for key in settings:
        if key not in known:
            raise ConfigError(place, f"unknown setting {key!r}", did_you_mean(str(key), known))
    try:
        if issubclass(component, BaseModel):
            return component.model_validate(settings)
        if dataclasses.is_dataclass(component):
            return TypeAdapter(component).validate_python(settings)
        return component(**settings)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "missing":
            field = getattr(component, "model_fields", {}).get(key)
            said = field.description if field is not None else None
            raise ConfigError(f"{place}, {key}", f"is missing{f': {said}' if said else ''}", "give one") from error
        raise ConfigError(f"{place}, {key}", f"{first['msg']}, got {first['input']!r}") from error


def component_field(registry: Registry[Any], default: str | None = None) -> Any:
    """A pydantic field type that builds a component of `registry` and writes it back as `{name: …, …}`.

    Settings without a name are those of the component `default`, so that `loss.tau=0.2` works where no loss is named.
    """

    def write(component: Any) -> Any:
        name = registry.name_of(component)
        if isinstance(component, BaseModel):
            return {"name": name, **component.model_dump(mode="json", exclude={"name"})}
        if dataclasses.is_dataclass(component) and not isinstance(component, type):
            return {"name": name, **dataclasses.asdict(cast(Any, component))}
        return {"name": name}

    return Annotated[Any, BeforeValidator(lambda spec: registry.build(spec, default)), PlainSerializer(write)]


class FromSource(SourceFileLoader):
    """Compiles a user's file each time: nothing is written beside it, and none is taken for an older one that Python,
    which goes by size and second, can't tell from it."""

    def get_code(self, fullname: str) -> CodeType:
        """The file's own code."""
        return self.source_to_code(self.get_data(self.path), self.path)


def load_plugin(path: str | Path) -> ModuleType:
    """Run a user's Python file so that its decorators register what it defines; its module. Idempotent.

    Raises ConfigError if the file is missing or fails while it is loaded.
    """
    file = locate(path, "example").resolve()
    if not file.is_file():
        raise ConfigError(f"plugins: {path}", "no such file", "give the path of a .py file")
    module_name = f"{PLUGIN}{file.stem}_{content_digest(str(file))[:16]}"  # the same in every process
    if module_name in sys.modules:
        return sys.modules[module_name]
    loader = FromSource(module_name, str(file))
    spec = importlib.util.spec_from_file_location(module_name, file, loader=loader) if file.suffix == ".py" else None
    if spec is None:
        raise ConfigError(f"plugins: {path}", "is not a Python file", "give the path of a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    _loading.append(str(file))
    try:
        loader.exec_module(module)
    except ConfigError:
        del sys.modules[module_name]
        raise
    except (Exception, SystemExit) as error:  # whatever the user's file raises belongs in the message
        del sys.modules[module_name]
        raise ConfigError(f"plugins: {path}", f"{type(error).__name__}: {error}", "mend the plugin file") from error
    finally:
        _loading.pop()
    return module


def _loaded(plugins: tuple[str, ...]) -> tuple[str, ...]:
    for plugin in plugins:
        load_plugin(plugin)
    return plugins


# a field of plugin files; it stands before the fields that may name what they register, which are read after it
PluginFiles = Annotated[tuple[str, ...], AfterValidator(_loaded)]
