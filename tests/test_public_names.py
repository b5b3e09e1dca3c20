"""What ``import livewell`` offers."""

import importlib
from collections.abc import Callable
from functools import partial
from inspect import Parameter, signature
from pathlib import Path

import pytest

import livewell


def test_every_name_leads_somewhere() -> None:
    """Each of the few public names can be imported, and they are few."""
    assert len(livewell.__all__) <= 68
    for name in livewell.__all__:
        assert getattr(livewell, name) is not None
    assert set(livewell.__all__) == set(dir(livewell))


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name fails as for any module."""
    assert not hasattr(livewell, "asses")


def test_jobs_win_over_modules_of_the_same_name() -> None:
    """After a job's module was imported the name still leads to the function."""
    importlib.import_module("livewell.workflows.assess")
    assert callable(livewell.assess)


EMPTY = Parameter.empty
PATHS = [
    (function, parameter.name)
    for function in map(partial(getattr, livewell), livewell.__all__)
    if callable(function)
    for parameter in signature(function).parameters.values()
    if "Path" in str(parameter.annotation) and "folder" != parameter.name != "root"
]


@pytest.mark.parametrize(("function", "name"), PATHS)
def test_paths_are_text_or_paths(function: Callable[..., object], name: str) -> None:
    """Row 21: every public function says that it takes a path as text too."""
    annotation = str(signature(function).parameters[name].annotation)
    assert "AnyPath" in annotation or ("str" in annotation and "PathLike" in annotation)


class Named:
    """A path that is neither text nor of pathlib."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __fspath__(self) -> str:
        """The path."""
        return self.path


@pytest.mark.parametrize("path", [str, Path, Named])
@pytest.mark.parametrize("function", dict.fromkeys(function for function, _ in PATHS))
def test_functions_take_any_path(
    function: Callable[..., object], path: Callable[[str], object], tmp_path: Path
) -> None:
    """Row 21: a path of any kind that leads nowhere is an error in plain words."""
    absent = path(str(tmp_path / "absent"))
    needed = [
        name for name, each in signature(function).parameters.items() if each.default is EMPTY
    ]
    if isinstance(function, type):
        assert function(**dict.fromkeys(needed, absent))
        return
    rest: dict[str, object] = {"route": livewell.Column("a", {}), "classes": ("a", "b")}
    rest |= {"runs": [absent], "by": "well", "scheme": livewell.Holdout(), "profile": livewell.FAST}
    with pytest.raises(livewell.LivewellError):
        function(**{name: rest.get(name, absent) for name in needed})
