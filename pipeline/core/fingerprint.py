"""Fingerprints: one hash of all the code that a function reaches, blind to the place and the name of a definition.

A fingerprint covers the definitions a function names, directly or through others, and the locked versions of the
packages those import. The unit is the top-level statement, not the file: an edit of one class reaches only its users.
Definitions are numbered in the order in which the walk meets them, and a reference is hashed as that number. So moving
or renaming a definition changes no fingerprint; comments, formatting and docstrings do not count either.

A module used as a value, or imported as `import a.b`, counts with all its statements. So does every statement that
binds no name, since it runs at import: those of each module that is reached, and of the packages around it.
"""

import ast
import hashlib
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from pipeline.core.modules import (
    ALL,
    UNBOUND,
    Definition,
    External,
    Modules,
    Reference,
    bound_names,
    imports,
    is_docstring,
    local_names,
    look_up,
    outside_body,
    resolve,
)
from pipeline.core.stage import FACETS, locate_facet
from pipeline.core.versions import distributions

_PLACE = "\0"  # of a reference in a text; no source holds it, and `repr` escapes it
# Statements whose text says which of their names is which: the name itself stands in it as a reference.
_SELF_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.AugAssign)


class Template(NamedTuple):
    """The text of a definition in pieces, and what its code refers to between each piece and the next."""

    pieces: tuple[str, ...]
    references: tuple[Reference, ...]


Templates = dict[Definition, Template]  # made once for all fingerprints of one package


class Closure(NamedTuple):
    """What some definitions reach: definitions in the order met, the text of each, and the packages outside."""

    definitions: tuple[Definition, ...]
    texts: tuple[str, ...]
    packages: frozenset[str]


def fingerprint(
    modules: Modules, starts: Sequence[Definition], versions: Mapping[str, str], templates: Templates | None = None
) -> str:
    """Return the SHA-256, 64 hexadecimal digits, of all code that `starts` reach.

    `versions` gives the version of each locked distribution by its normalised name; the standard library has none.
    `templates` keeps what several fingerprints of the same modules share.

    Raises:
        KeyError: A start does not exist.
        EnvironmentFault: A package that is reached is not installed or not locked.
    """
    reached = closure(modules, starts, templates)
    digest = hashlib.sha256()
    for text in reached.texts:
        digest.update(f"{text}\n".encode())
    for distribution in distributions(reached.packages, versions):
        digest.update(f"{distribution}=={versions[distribution]}\n".encode())
    return digest.hexdigest()


def find_facets(modules: Modules, stage: str, package: str = "pipeline") -> tuple[str, ...]:
    """Return the facets of a kind that the `run` of a stage asks for, by its source alone."""
    (function,) = modules[f"{package}.stages.{stage}"].statements("run")
    assert isinstance(function, ast.FunctionDef)  # noqa: S101 - a contract test holds it
    hints = [part for part in outside_body(function) if isinstance(part, ast.Name)]
    return tuple(hint.id.lower() for hint in hints if hint.id.lower() in FACETS)


def list_starts(modules: Modules, stage: str, kind: str | None, package: str = "pipeline") -> list[Definition]:
    """Return where the code of a stage starts: its `run`, and the facets that a kind has of those asked for."""
    facets = find_facets(modules, stage, package) if kind else ()
    starts = (locate_facet(str(kind), facet, package) for facet in facets)
    return [Definition(f"{package}.stages.{stage}", "run"), *(start for start in starts if start.module in modules)]


def closure(modules: Modules, starts: Sequence[Definition], templates: Templates | None = None) -> Closure:
    """Return all that `starts` reach, themselves included.

    Raises:
        KeyError: A start does not exist.
    """
    for start in starts:
        if start.name not in modules[start.module].bindings:
            raise KeyError(f"{start.module} has no {start.name}")
    templates = {} if templates is None else templates
    order = list(dict.fromkeys(starts))
    numbers = {definition: number for number, definition in enumerate(order)}
    packages: set[str] = set()
    texts = []
    for definition in order:  # it grows while it is read
        if definition not in templates:
            templates[definition] = _template(modules, definition)
        first, *pieces = templates[definition].pieces
        words = [first]
        for reference, piece in zip(templates[definition].references, pieces, strict=True):
            if isinstance(reference, External):
                packages.add(reference.dotted.partition(".")[0])
                words += (reference.dotted, piece)
                continue
            if reference not in numbers:
                numbers[reference] = len(order)
                order.append(reference)
            words += (f"#{numbers[reference]}", piece)
        texts.append("".join(words))
    return Closure(tuple(order), tuple(texts), frozenset(packages))


def canonical(node: object, replace: Callable[[ast.AST], str | None] = lambda _: None) -> str:
    """Return a syntax tree as text without positions, docstrings, type comments and empty fields.

    `replace` gives the text of a node, or None to take the node's own fields. The text is the same on every Python
    version that gives the same tree, unlike `ast.dump`.
    """
    if isinstance(node, list):
        return "[" + ",".join(canonical(item, replace) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return f"{type(node).__name__}:{node!r}"
    if (text := replace(node)) is not None:
        return text
    fields = []
    for name, value in ast.iter_fields(node):
        kept = (
            [item for item in value if not is_docstring(item)] if name == "body" and isinstance(value, list) else value
        )
        if kept not in (None, []) and name not in ("type_comment", "kind", "ctx"):
            fields.append(f"{name}={canonical(kept, replace)}")
    return f"{type(node).__name__}({','.join(fields)})"


def _template(modules: Modules, definition: Definition) -> Template:
    references: list[Reference] = []

    def refer(reference: Reference) -> str:
        references.append(reference)
        return _PLACE

    text = _text(modules, definition, refer)
    return Template(tuple(text.split(_PLACE)), tuple(references))


def _text(modules: Modules, definition: Definition, refer: Callable[[Reference], str]) -> str:
    """Return the text of a definition, each name in it that is not local replaced by what it refers to."""
    module, name = definition
    around = [part for part in accumulate(module.split("."), "{}.{}".format) if part in modules]
    parts = [refer(Definition(part, UNBOUND)) for part in around if modules[part].unbound and name != UNBOUND]
    statements = modules[module].statements(name)
    if name == ALL:  # a module as a value: its names count
        parts += sorted(modules[module].bindings)
    elif not all(isinstance(statement, _SELF_NAMED) for statement in statements):
        parts.append(name)
    parts += [_statement_text(modules, module, statement, refer) for statement in statements]
    return " ".join(parts)


def _statement_text(modules: Modules, module: str, statement: ast.stmt, refer: Callable[[Reference], str]) -> str:
    _, hidden = bound_names(statement)  # perhaps not the module's name, in some inner scope
    local: set[str] = set()  # certainly not the module's name, but for the nodes `outside`
    outside: set[int] = set()
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        local = local_names(statement)
        outside = {id(node) for node in outside_body(statement)}

    def look(name: str) -> list[str]:
        return [refer(reference) for reference in look_up(modules, module, name)]

    def replace(node: ast.AST) -> str | None:
        if isinstance(node, ast.Name):
            if node.id not in hidden or id(node) in outside:
                return "+".join(look(node.id)) or None
            return "+".join([f"name:{node.id}", *(look(node.id) if node.id not in local else ())])
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id not in hidden:
            return _attribute_text(modules, module, node.value.id, node.attr, refer)
        if isinstance(node, ast.Import | ast.ImportFrom):
            return " ".join(
                f"import:{bound}={'+'.join(refer(reference) for reference in resolve(modules, dotted, attribute))}"
                for bound, dotted, attribute in imports(node, module)
            )
        return None

    text = canonical(statement, replace)
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return text.replace(f"name=str:{statement.name!r},", "", 1)
    return text


def _attribute_text(
    modules: Modules, module: str, name: str, attribute: str, refer: Callable[[Reference], str]
) -> str | None:
    """Return what `name.attribute` refers to if `name` is a module of the package; None otherwise."""
    references = look_up(modules, module, name)
    if len(references) != 1 or not isinstance(references[0], Definition) or references[0].name != ALL:
        return None
    return "+".join(refer(reference) for reference in resolve(modules, references[0].module, attribute))
