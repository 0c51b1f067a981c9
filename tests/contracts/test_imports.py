"""What the import contracts cannot say: no file imports itself by a detour."""

from __future__ import annotations

import ast

from tests.conftest import ROOT

SOURCE = ROOT / "src"


def _imports():
    """Each module's imports of others of the package, those inside functions and for types included."""
    modules = {}
    for path in SOURCE.rglob("*.py"):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        modules[name] = ast.parse(path.read_text())
    graph = {}
    for name, tree in modules.items():
        found = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        graph[name] = (found & modules.keys()) - {name}
    return graph


def test_no_files_import_each_other_in_a_circle():
    """So that each can be read, and understood, behind those that it imports."""
    left = _imports()
    while ready := {name for name, imports in left.items() if not imports & left.keys()}:
        left = {name: imports for name, imports in left.items() if name not in ready}
    assert not left, f"in circles, or above one: {sorted(left)}"
