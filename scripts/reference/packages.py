"""The packages in their layers, with what each imports, as grimp (the library below import-linter) reads the code."""

import tomllib
from pathlib import Path

import grimp

_ROOT = Path(__file__).parents[2]
_PACKAGE = "tracker_backend"


def packages() -> str:
    """A drawing as text: one line a layer from top to bottom, with the packages below it that it imports."""
    contract = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"][0]
    layers: list[list[str]] = [[name.strip() for name in layer.split("|")] for layer in contract["layers"]]
    leaves = {name for layer in layers[-2:] for name in layer}
    order = [name for layer in layers for name in layer]
    graph = grimp.build_graph(_PACKAGE)
    graph_of = {name: _imports(graph, name) - {name} for name in order}
    shown = [name for name in order if name not in leaves]
    width = max(map(len, shown))
    lines = [
        f"{name:{width}}  {' '.join(below for below in order if below in graph_of[name] - leaves)}".rstrip()
        for name in shown
    ]
    return "\n".join(["```text", *lines, f"{'leaves':{width}}  {' '.join(sorted(leaves))}", "```"])


def _imports(graph: grimp.ImportGraph, name: str) -> set[str]:
    root = f"{_PACKAGE}.{name}"
    modules = {root, *graph.find_descendants(root)}
    imported = {found for module in modules for found in graph.find_modules_directly_imported_by(module)}
    return {module.split(".")[1] for module in imported if "." in module}
