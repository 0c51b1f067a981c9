"""Scripts in benchmarks/ are run by hand: what they take from the package has to be there all the same."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

SOURCE = ROOT / "src"
SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


def _file_of(module: str) -> Path | None:
    """None where the package has no such module."""
    path = SOURCE.joinpath(*module.split("."))
    found = [file for file in (path / "__init__.py", path.with_suffix(".py")) if file.exists()]
    return found[0] if found else None


def _names_in(file: Path) -> set[str]:
    """What the file defines or imports at its top, and what follows `if TYPE_CHECKING` or `try`."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Constant) and file.name == "__init__.py":
            names.add(str(node.value))  # what is found when it is first asked for
    return names


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_what_a_benchmark_takes_from_the_package_exists(script):
    """Modules and names."""
    missing = []
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != "isthmus":
            continue
        file = _file_of(node.module)
        known = set() if file is None else _names_in(file)
        for name in (alias.name for alias in node.names):
            if name not in known and _file_of(f"{node.module}.{name}") is None:
                missing.append(f"{node.module}: {name}")
    assert not missing
