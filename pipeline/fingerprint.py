"""One hash of all the code a function can reach: its own definition, every definition of the package that those name,
and the locked versions of the packages they import. Comments, formatting and docstrings do not count.

The unit is the top-level statement, not the file: editing one class of a module reaches only those who use that class.
What cannot be followed is taken whole: a module used as a value, or imported as `import a.b`, counts with all its
statements. Every statement that binds no name counts too, since it runs at import: those of a module that is reached
and those of the packages it lies in. Star imports are refused.
"""

import ast
import hashlib
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from pipeline.distributions import distributions

ALL = "*"

UNBOUND = ""


class Module(NamedTuple):
    """A parsed module: the statements that bind each top-level name, and those that bind none."""

    name: str
    bindings: Mapping[str, tuple[ast.stmt, ...]]
    unbound: tuple[ast.stmt, ...]


class Import(NamedTuple):
    """What a name stands for: `attribute` of `module`, or the module itself where `attribute` is None."""

    module: str
    attribute: str | None


Modules = Mapping[str, Module]
Node = tuple[str, str]


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
        names = set(_bound(statement))
        if ALL in names:
            raise SyntaxError(f"{name}:{statement.lineno}: `from ... import *` hides what is used; name it")
        for bound in names:
            bindings.setdefault(bound, []).append(statement)
        if not names and not _is_docstring(statement):
            unbound.append(statement)
    return Module(name, {bound: tuple(found) for bound, found in bindings.items()}, tuple(unbound))


def fingerprint(modules: Modules, module: str, function: str, versions: Mapping[str, str]) -> str:
    """Return the SHA-256, 64 hexadecimal digits, of all that `module.function` reaches.

    `versions` gives the version of each locked distribution by its normalised name; the standard library has none.

    Raises:
        KeyError: There is no such module or function.
        EnvironmentFault: A package that is reached is not installed or not locked.
    """
    nodes, packages = reach(modules, (module, function))
    digest = hashlib.sha256()
    for node in sorted(nodes):
        digest.update(f"{node[0]}.{node[1]}\n".encode())
        for statement in _statements(modules[node[0]], node[1]):
            digest.update(canonical(statement).encode())
    for distribution in distributions(packages, versions):
        digest.update(f"{distribution}=={versions[distribution]}\n".encode())
    return digest.hexdigest()


def reach(modules: Modules, start: Node) -> tuple[set[Node], set[str]]:
    """Return the (module, name) pairs that `start` reaches, itself included, and the packages they import.

    Raises:
        KeyError: `start` is not there.
    """
    if start[1] not in modules[start[0]].bindings:
        raise KeyError(f"{start[0]} has no {start[1]}")
    found: set[Node] = set()
    packages: set[str] = set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if node in found:
            continue
        found.add(node)
        waiting += [(name, UNBOUND) for name in accumulate(node[0].split("."), "{}.{}".format) if name in modules]
        for owner, name in _uses(modules, node):
            if owner not in modules:
                packages.add(owner.partition(".")[0])
            else:
                waiting.append((owner, name if name in (*modules[owner].bindings, UNBOUND) else ALL))
    return found, packages


def canonical(node: object) -> str:
    """Return the syntax tree as text without positions, docstrings, type comments and empty fields.

    The text is the same on every Python version that gives the same tree, unlike `ast.dump`.
    """
    if isinstance(node, list):
        return "[" + ",".join(canonical(item) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__}:{node!r}"
    fields = []
    for name, value in ast.iter_fields(node):
        kept = (
            [item for item in value if not _is_docstring(item)] if name == "body" and isinstance(value, list) else value
        )
        if kept not in (None, []) and name not in ("type_comment", "kind", "ctx"):
            fields.append(f"{name}={canonical(kept)}")
    return f"{type(node).__name__}({','.join(fields)})"


def _uses(modules: Modules, node: Node) -> Iterator[Node]:
    """Yield what the statements of `node` name: (module, name), or (module, ALL) for a module used as a value."""
    module = modules[node[0]]
    for statement in _statements(module, node[1]):
        local = dict(_imports(statement, module.name))
        for brought in local.values():
            yield from _targets(modules, brought)
        seen: set[int] = set()
        for part in ast.walk(statement):
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                value = local.get(part.value.id) or _imported(module, part.value.id)
                if value is not None and (dotted := _as_module(modules, value)) is not None:
                    seen.add(id(part.value))
                    yield dotted, part.attr
            elif isinstance(part, ast.Name):
                if part.id in module.bindings:
                    yield module.name, part.id
                if id(part) not in seen and (value := _imported(module, part.id)) is not None:
                    yield from _targets(modules, value)


def _targets(modules: Modules, value: Import) -> Iterator[Node]:
    dotted = _as_module(modules, value)
    if dotted is not None:
        yield dotted, ALL
    elif value.attribute is not None:
        yield value.module, value.attribute


def _as_module(modules: Modules, value: Import) -> str | None:
    """Return the module that `value` stands for; None where it is a function, class or constant."""
    if value.attribute is None:
        return value.module
    dotted = f"{value.module}.{value.attribute}"
    return dotted if dotted in modules else None


def _imported(module: Module, name: str) -> Import | None:
    for statement in module.bindings.get(name, ()):
        for bound, value in _imports(statement, module.name):
            if bound == name:
                return value
    return None


def _imports(statement: ast.stmt, module: str) -> Iterator[tuple[str, Import]]:
    """Yield each name that an import in `statement`, at any depth, binds, and what it stands for."""
    for part in ast.walk(statement):
        if isinstance(part, ast.Import):
            for alias in part.names:
                # `import a.b` binds `a` but runs a.b as well; the whole of a.b counts.
                yield alias.asname or alias.name.partition(".")[0], Import(alias.name, None)
        elif isinstance(part, ast.ImportFrom):
            base = module.split(".")[: -part.level] if part.level else []
            source = ".".join([*base, *([part.module] if part.module else [])])
            for alias in part.names:
                yield alias.asname or alias.name, Import(source, alias.name)


def _statements(module: Module, name: str) -> tuple[ast.stmt, ...]:
    if name == UNBOUND:
        return module.unbound
    if name == ALL:
        every = {id(statement): statement for found in module.bindings.values() for statement in found}
        return (*sorted(every.values(), key=lambda statement: statement.lineno), *module.unbound)
    # An import is not code of the module: what it brings is followed, its spelling does not count.
    return tuple(found for found in module.bindings[name] if not isinstance(found, ast.Import | ast.ImportFrom))


def _bound(statement: ast.stmt) -> Iterator[str]:
    """Yield the names a top-level statement binds, the statements inside `if`, `try` and `with` included."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
        return
    for part in ast.walk(statement):
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield part.name
        elif isinstance(part, ast.Import | ast.ImportFrom):
            for alias in part.names:
                yield alias.asname or (alias.name.partition(".")[0] if isinstance(part, ast.Import) else alias.name)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id


def _is_docstring(node: object) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
