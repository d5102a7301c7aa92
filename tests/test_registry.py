"""Registries: components by name, and messages that help."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import pytest

from vlrl.config import Settings
from vlrl.errors import ConfigError
from vlrl.registry import Registry, load_plugin


def filled() -> Registry:
    things: Registry = Registry("thing")

    @things.register("ball")
    @dataclass(frozen=True)
    class Ball:
        size: int = 3

    @things.register("plain")
    def plain():
        return 1

    return things


def test_a_component_is_built_from_its_name_or_its_settings():
    things = filled()
    assert things.build("ball").size == 3
    assert things.build({"name": "ball", "size": 5}).size == 5
    assert things.build("plain")() == 1
    ball = things.build("ball")
    assert things.build(ball) is ball
    assert list(things) == ["ball", "plain"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bal", "unknown thing 'bal'\n.*did you mean 'ball'"),
        ("zzz", "known: ball, plain"),
        ({"name": "ball", "sise": 1}, "unknown setting 'sise'\n.*did you mean 'size'"),
        ({"name": "ball", "size": "big"}, "thing 'ball', size.*got 'big'"),
        ({"size": 1}, "write {name: one of ball, plain}"),
        ({"name": "plain", "size": 1}, "takes no settings"),
    ],
)
def test_a_mistake_names_place_value_and_remedy(spec, message):
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        filled().build(spec)


def test_a_name_belongs_to_one_component():
    things = filled()
    with pytest.raises(ConfigError, match="is already registered"):
        things.register("ball")(lambda: None)


def test_a_plugin_runs_once_and_its_mistakes_name_the_file(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        load_plugin(tmp_path / "none.py")
    (tmp_path / "bad.py").write_text("1 / 0\n")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"bad\.py: ZeroDivisionError"):
            load_plugin(tmp_path / "bad.py")
    (tmp_path / "good.py").write_text(f"open({str(tmp_path / 'count')!r}, 'a').write('x')\n")
    for _ in range(2):
        load_plugin(tmp_path / "good.py")
    assert (tmp_path / "count").read_text() == "x"


class Base(Settings):
    size: int = 1


def test_a_component_that_is_no_subclass_of_the_base_is_refused_with_the_base_it_needs():
    based = Registry("based thing", base=Base)
    based.register("good")(type("Good", (Base,), {}))
    for stranger in (Settings, lambda: None):
        with pytest.raises(ConfigError, match=r"'bad': is no subclass of .*\.Base[\s\S]*class …\(Base\)"):
            based.register("bad")(stranger)
    assert based.names() == ["good"]


def test_what_is_filed_temporarily_goes_and_what_it_covered_comes_back():
    some = Registry("thing")
    some.register("old")(Base)
    with some.temporarily(old=Settings, new=Base):
        some.register("later")(Base)
        assert (some.names(), some.get("old")) == (["later", "new", "old"], Settings)
    assert (some.names(), some.get("old")) == (["old"], Base)


def test_homes_are_imported_when_somebody_first_looks(tmp_path, monkeypatch):
    (tmp_path / "home_of_things.py").write_text(
        "import at_home\n\nat_home.things.register('tea')(at_home.Base)\nassert at_home.things.names() == ['tea']\n"
    )
    module = type(sys)("at_home")
    module.things, module.Base = Registry("thing", homes=("home_of_things",)), Base
    monkeypatch.setitem(sys.modules, "at_home", module)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "home_of_things" not in sys.modules
    assert "tea" in module.things
    assert module.things.plugin_of("tea") is None
    monkeypatch.delitem(sys.modules, "home_of_things")


def test_a_home_that_can_not_be_imported_is_told_to_everybody_who_looks():
    broken = Registry("thing", homes=("no_such_home_of_things",))
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="no_such_home_of_things"):
            broken.names()


def test_a_plugin_is_read_as_it_stands_and_nothing_is_written_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "mine.py"
    for value in (1, 2):  # of one size, in one second: compiled files are told apart by both
        file.write_text(f"value = {value}\n")
        os.utime(file, (1, 1))
        module = load_plugin(file)
        del sys.modules[module.__name__]
        assert module.value == value
    assert [one.name for one in tmp_path.iterdir()] == ["mine.py"]
