"""Everything public says what it is and what it takes."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import livewell

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "livewell").rglob("*.py"))
ABOVE = {"cli", "__main__.py"}
"""Rooms whose options say themselves what they are (``--help``)."""
MANY = 4
"""From so many parameters on each is explained by itself."""
SECTION = re.compile(r"^Parameters\n-+\n(.*?)(?=^\S+\n-+$|\Z)", re.MULTILINE | re.DOTALL)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Named:
    """Something public: where it stands, its node, the class or function round it."""

    where: str
    node: ast.Module | ast.ClassDef | Function
    owner: ast.ClassDef | None

    @property
    def offered(self) -> bool:
        """Whether users import it, or its class, from ``livewell`` itself."""
        named = self.owner or self.node
        return getattr(named, "name", "") in livewell.__all__


def public(path: Path) -> Iterator[Named]:
    """The module, and every public class, function and method in it."""
    module = ast.parse(path.read_text("utf-8"))
    name = path.relative_to(ROOT / "src").as_posix()
    yield Named(name, module, None)
    for node in module.body:
        if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
            continue
        yield Named(f"{name}:{node.name}", node, None)
        if not isinstance(node, ast.ClassDef):
            continue
        for inner in node.body:
            if isinstance(inner, Function) and not inner.name.startswith("_"):
                yield Named(f"{name}:{node.name}.{inner.name}", inner, node)


def parameters(node: Function) -> list[str]:
    """Names of its parameters, without self, cls and such as begin with an underscore."""
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return [arg.arg for arg in every if arg.arg not in ("self", "cls") and arg.arg[0] != "_"]


def inherited(found: Named) -> bool:
    """Whether it fulfils what a base class says, such as a callback of Lightning."""
    return found.owner is not None and bool(found.owner.bases)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_everything_public_has_a_docstring(path: Path) -> None:
    """Module, class, function, method: each begins with a sentence that ends."""
    for found in public(path):
        text = ast.get_docstring(found.node)
        assert text, found.where
        first = re.split(r"\n\s*\n", text)[0].rstrip()
        assert first[-1] in ".:?", f"{found.where}: {first}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_parameters_are_explained(path: Path) -> None:
    """Sections on parameters name what is there; those of the package's own names name all."""
    for found in public(path):
        if not isinstance(found.node, Function) or inherited(found):
            continue
        text, names = ast.get_docstring(found.node) or "", parameters(found.node)
        section = SECTION.search(text)
        offered = (
            found.offered and path.relative_to(ROOT / "src" / "livewell").parts[0] not in ABOVE
        )
        if section is None:
            assert not offered or len(names) < MANY, (
                f"{found.where} explains none of its parameters"
            )
            continue
        heads = re.findall(r"^(\S.*)$", section[1], re.MULTILINE)
        told = {word for head in heads for word in re.findall(r"\w+", head.split(" : ")[0])}
        stars = {arg.arg for arg in (found.node.args.vararg, found.node.args.kwarg) if arg}
        assert told <= set(names) | stars, (
            f"{found.where}: no parameter {', '.join(sorted(told - set(names) - stars))}"
        )
        missing = set(names) - told if offered else set()
        assert not missing, f"{found.where}: {', '.join(sorted(missing))}"
