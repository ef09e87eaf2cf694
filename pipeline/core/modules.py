"""The parsed modules of a package: the statements behind each top-level name, and what a name refers to."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ALL = "*"  # every statement of a module
UNBOUND = ""  # the statements of a module that bind no name

_SCOPES = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda,
    ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


class Module(NamedTuple):
    """A parsed module: the statements that bind each top-level name, and those that bind none."""

    name: str
    bindings: Mapping[str, tuple[ast.stmt, ...]]
    unbound: tuple[ast.stmt, ...]

    def statements(self, name: str) -> tuple[ast.stmt, ...]:
        """Return the statements behind a top-level name, `ALL` or `UNBOUND`, in the order of the source."""
        if name == UNBOUND:
            return self.unbound
        if name != ALL:
            return self.bindings[name]
        every = {id(statement): statement for group in self.bindings.values() for statement in group}
        return tuple(sorted((*every.values(), *self.unbound), key=lambda statement: statement.lineno))


Modules = Mapping[str, Module]


class Definition(NamedTuple):
    """A top-level name of a module of the package, or `ALL` or `UNBOUND` of it."""

    module: str
    name: str


class External(NamedTuple):
    """A package outside, or an attribute of one, by its dotted name."""

    dotted: str


Reference = Definition | External


def parse_package(root: Path) -> dict[str, Module]:
    """Return every module below the package folder `root` by its dotted name (`__init__` has the folder's name)."""
    modules = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = parse_module(name, path.read_text(encoding="utf-8"))
    return modules


def parse_module(name: str, source: str) -> Module:
    """Return the module's statements by the names they bind.

    Raises:
        SyntaxError: The source is not Python, or has a star import.
    """
    bindings: dict[str, list[ast.stmt]] = {}
    unbound = []
    for statement in ast.parse(source).body:
        names, inner = bound_names(statement)
        if ALL in names | inner:
            raise SyntaxError(f"{name}:{statement.lineno}: `from ... import *` hides what is used. Name the imports.")
        for bound in names:
            bindings.setdefault(bound, []).append(statement)
        if not names and not is_docstring(statement):
            unbound.append(statement)
    return Module(name, {bound: tuple(group) for bound, group in bindings.items()}, tuple(unbound))


def bound_names(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """Return the names that a top-level statement binds in its module, and those that it binds in inner scopes."""
    outer: set[str] = set()
    inner: set[str] = set()

    def visit(node: ast.AST, names: set[str]) -> None:
        names.update(_names(node))
        if isinstance(node, ast.NamedExpr):  # it leaves a comprehension
            outer.add(node.target.id)
        for child in ast.iter_child_nodes(node):
            visit(child, inner if isinstance(node, _SCOPES) else names)

    visit(statement, outer)
    return outer, inner


def local_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Return the names that are local to the body of a function: its parameters, and what the body itself binds."""
    local: set[str] = set()
    shared: set[str] = set()

    def visit(node: ast.AST) -> None:
        local.update(_names(node))
        if isinstance(node, ast.Global):
            shared.update(node.names)
        if not isinstance(node, _SCOPES):
            for child in ast.iter_child_nodes(node):
                visit(child)

    for part in (function.args, *function.body):
        visit(part)
    return local - shared


def outside_body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function that its module evaluates: decorators, default values and annotations."""
    arguments = function.args
    named = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
    annotations = (argument.annotation for argument in named if argument)
    for part in (*function.decorator_list, *arguments.defaults, *arguments.kw_defaults, function.returns, *annotations):
        if part is not None:
            yield from ast.walk(part)


def look_up(modules: Modules, module: str, name: str) -> list[Reference]:
    """Return what a top-level name of a module refers to, through imports; nothing if the module does not bind it."""
    statements = modules[module].bindings.get(name, ())
    if not all(isinstance(statement, ast.Import | ast.ImportFrom) for statement in statements):
        return [Definition(module, name)]
    return [
        reference
        for statement in statements
        for bound, dotted, attribute in imports(statement, module)
        if bound == name
        for reference in resolve(modules, dotted, attribute)
    ]


def resolve(modules: Modules, dotted: str, attribute: str | None) -> list[Reference]:
    """Return what `attribute` of the module `dotted`, or that module as a whole, refers to."""
    whole = dotted if attribute is None else f"{dotted}.{attribute}"
    if whole in modules:
        return [Definition(whole, ALL)]
    if dotted not in modules:
        return [External(whole)]
    return look_up(modules, dotted, attribute or ALL) or [Definition(dotted, ALL)]


def imports(statement: ast.AST, module: str) -> Iterator[tuple[str, str, str | None]]:
    """Yield (bound name, module, attribute or None) of each name that an import statement binds."""
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            # `import a.b` binds `a` but runs a.b as well; the whole of a.b counts.
            yield alias.asname or alias.name.partition(".")[0], alias.name, None
    elif isinstance(statement, ast.ImportFrom):
        base = module.split(".")[: -statement.level] if statement.level else []
        source = ".".join([*base, *([statement.module] if statement.module else [])])
        for alias in statement.names:
            yield alias.asname or alias.name, source, alias.name


def is_docstring(node: object) -> bool:
    """Return whether a statement is a string alone."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _names(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node itself binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
