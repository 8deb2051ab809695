"""No function of otagate is longer than 30 lines, its signature and docstring left out."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2] / "otagate"
LONGEST = 30
# A step of the store's schema is history: it is a list of tables, and is never changed again.
EXCEPT = {"adapters/migrations/versions/r0001_runs_and_promotions.py: upgrade"}


def too_long(root: Path) -> set[str]:
    found = set()
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _lines(node) > LONGEST:
                found.add(f"{path.relative_to(root)}: {node.name}")
    return found


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_function_is_longer_than_it_may_be() -> None:
    assert too_long(ROOT) == EXCEPT


def test_a_function_of_one_line_more_is_seen(tmp_path: Path) -> None:
    lines = ["def f() -> None:", '    """Said."""', *["    pass"] * LONGEST]
    (tmp_path / "a.py").write_text("\n".join(lines))
    assert too_long(tmp_path) == set()
    (tmp_path / "a.py").write_text("\n".join([*lines, "    pass"]))
    assert too_long(tmp_path) == {"a.py: f"}
