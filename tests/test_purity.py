"""The pure floors use no builtin whose answer can differ from one honest node to another.

Import contracts find clocks, dice and I/O; this finds what needs no import: floats, `hash`, `id`,
`open`, true division, and anything that depends on the order in which a set gives its members.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PURE_FILES = sorted(
    path for floor in ("consensus", "registry") for path in (ROOT / floor).rglob("*.py")
)
IO_FILES = {ROOT / "registry/catalogue.py"}  # reads registry/types/*.toml once, for genesis

IMPURE_NAMES = {
    "breakpoint", "complex", "eval", "exec", "float", "globals", "hash", "id", "input", "locals",
    "open", "print", "vars",
}  # fmt: skip
SET_MAKERS = {"set", "frozenset"}
SET_TYPES = {"set", "frozenset", "Set", "AbstractSet", "MutableSet"}
SET_METHODS = {"union", "intersection", "difference", "symmetric_difference"}
# The result does not depend on the order in which these see their arguments.
ORDER_FREE = {"all", "any", "frozenset", "len", "max", "min", "set", "sorted", "sum", "bool"}
ORDERED = {"dict", "enumerate", "filter", "iter", "list", "map", "next", "tuple", "zip"}


def impurities(source: str) -> Iterator[str]:
    """Yield what makes a piece of source impure, with its line."""
    tree = ast.parse(source)
    for child in ast.walk(tree):
        for grandchild in ast.iter_child_nodes(child):
            grandchild.parent = child  # type: ignore[attr-defined]
    sets = _names_of_sets(tree)
    for node in ast.walk(tree):
        reason = _impure(node) or _depends_on_set_order(node, sets)
        if reason:
            yield f"{getattr(node, 'lineno', '?')}: {reason}"


def _impure(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name, ctx=ast.Load()) if name in IMPURE_NAMES:
            return name
        case ast.Constant(value=float() | complex()):
            return "a float"
        case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
            return "a true division"
        case _:
            return ""


def _depends_on_set_order(node: ast.AST, sets: set[str]) -> str:
    match node:
        case ast.For(iter=over) | ast.comprehension(iter=over) | ast.Starred(value=over):
            found = _is_set(over, sets) and not _order_free(node)
        case ast.Call():
            arguments = (_is_set(argument, sets) for argument in node.args)
            found = _consumes_in_order(node) and any(arguments)
        case _:
            found = False
    return "the order of a set" if found else ""


def _names_of_sets(tree: ast.AST) -> set[str]:
    """Return the names that are sets by annotation or by what is assigned to them."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.arg(arg=name, annotation=ast.expr() as kind) if _is_set_type(kind):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=kind) if _is_set_type(kind):
                names.add(name)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_set(value, names):
                names.add(name)
    return names


def _is_set_type(kind: ast.expr) -> bool:
    match kind:
        case ast.Subscript(value=ast.Name(id=name)) | ast.Name(id=name):
            return name in SET_TYPES
        case _:
            return False


def _is_set(value: ast.expr, names: set[str]) -> bool:
    match value:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name(id=name):
            return name in names
        case ast.Call(func=ast.Name(id=name)):
            return name in SET_MAKERS
        case ast.Call(func=ast.Attribute(attr=method, value=owner)):
            return method in SET_METHODS and _is_set(owner, names)
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub() | ast.BitXor()):
            return _is_set(value.left, names) or _is_set(value.right, names)
        case _:
            return False


def _order_free(node: ast.AST) -> bool:
    """Say whether what surrounds a loop gives the same for each order of its members."""
    whole = getattr(node, "parent", None)
    if isinstance(whole, ast.SetComp | ast.Set):
        return True
    match getattr(whole, "parent", None):
        case ast.Call(func=ast.Name(id=name)):
            return isinstance(whole, ast.GeneratorExp | ast.ListComp) and name in ORDER_FREE
        case _:
            return False


def _consumes_in_order(node: ast.Call) -> bool:
    match node.func:
        case ast.Name(id=name):
            return name in ORDERED
        case ast.Attribute(attr=method):
            return method in {"extend", "fromkeys", "join"}
        case _:
            return False


@pytest.mark.parametrize("path", PURE_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_pure_file_uses_no_builtin_that_could_split_honest_nodes(path):
    if path in IO_FILES:
        found = [line for line in impurities(path.read_text()) if "division" not in line]
    else:
        found = list(impurities(path.read_text()))
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "x = 0.5",
        "x = float(y)",
        "x = a / b",
        "x = hash(y)",
        "key = id",
        "open('f')",
        "for x in {1, 2}: pass",
        "for x in a | {1}: pass",
        "def f(a: set[int]):\n    return [x for x in a]",
        "def f(a: frozenset[int]):\n    return tuple(a)",
        "a = set(b)\nfirst = next(iter(a))",
        "a: set[str] = b\nc = ','.join(a)",
        "a = frozenset(b)\nc = [*a]",
        "a = {1}\nb = {x: 1 for x in a.union(c)}",
    ],
)
def test_what_could_split_honest_nodes_is_found(source):
    assert list(impurities(source))


@pytest.mark.parametrize(
    "source",
    [
        "x = a // b",
        "x = 3 in {1, 2}",
        "x = sorted({1, 2})",
        "def f(a: set[int]):\n    return sorted(x + 1 for x in a)",
        "a = set(b)\nc = {x for x in a}\nd = {*a, 1}",
        "a = set(b)\nassert all(x > 1 for x in a) and len(a) > 1",
        "for x in sorted({1, 2}): pass",
    ],
)
def test_what_has_only_one_answer_is_let_through(source):
    assert not list(impurities(source))
