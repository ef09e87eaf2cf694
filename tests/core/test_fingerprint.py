import ast
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import EnvironmentFault
from pipeline.core.fingerprint import canonical, closure, fingerprint, list_starts
from pipeline.core.modules import Definition, parse_module, parse_package
from pipeline.core.versions import locked_versions

BASE = {
    "p": "",
    "p.stages": "",
    "p.stages.one": """
        from p.engine import work, LIMIT as MOST
        from p import tables
        def run(params): return work(params, MOST), tables.read()
    """,
    "p.stages.two": """
        from p.engine import other
        def run(): return other()
    """,
    "p.engine": '''
        """Says something."""
        import json
        import torch
        from p.deep import inner
        LIMIT = 3
        def work(params, most):
            """Do it."""
            return inner(params) + most  # a comment
        def other():
            import numpy as np
            return np.zeros(3)
        def unused(): return torch.ones(1)
    ''',
    "p.deep": """
        class Base: x = 1
        class Kind(Base): y = 2
        def inner(value) -> 'Kind': return Kind()
    """,
    "p.tables": """
        def read(): return 1
        def write(): return 2
    """,
}
VERSIONS = {"torch": "2.0", "numpy": "1.0"}


def modules(**changes: str):
    sources = {**BASE, **{name.replace("__", "."): source for name, source in changes.items()}}
    return {name: parse_module(name, textwrap.dedent(source)) for name, source in sources.items()}


def prints(versions=VERSIONS, **changes: str) -> tuple[str, str]:
    found = modules(**changes)
    return tuple(fingerprint(found, [Definition(f"p.stages.{stage}", "run")], versions) for stage in ("one", "two"))


def test_what_runs_when_a_package_is_imported_counts_for_all_that_lie_in_it():
    before = prints()
    assert all(one != other for one, other in zip(prints(p="import os\nos.umask(0)"), before, strict=True))
    assert all(one != other for one, other in zip(prints(p__stages="print(1)"), before, strict=True))
    assert prints(p='"""Another word."""  # and a comment\nimport os\nNOBODY = 1') == before
    deep = {"p__stages": "from p.deep import inner\ninner(1)"}
    assert prints(**deep) != before  # and what that reaches
    assert prints(**deep, p__deep=BASE["p.deep"].replace("y = 2", "y = 3")) != prints(**deep)


def edited(name: str, old: str, new: str) -> str:
    assert old in BASE[name]
    return BASE[name].replace(old, new)


ONE, TWO = prints()


@pytest.mark.parametrize(
    ("name", "old", "new", "changes"),
    [
        ("p.engine", "  # a comment", "  # another", (False, False)),
        ("p.engine", '"""Do it."""', '"""Do it well."""', (False, False)),
        ("p.engine", '"""Says something."""', "", (False, False)),
        ("p.engine", "inner(params) + most", "(inner(params)\n    + most)", (False, False)),
        ("p.engine", "inner(params) + most", "inner(params) - most", (True, False)),
        ("p.engine", "LIMIT = 3", "LIMIT = 4", (True, False)),
        ("p.engine", "np.zeros(3)", "np.zeros(4)", (False, True)),
        ("p.engine", "torch.ones(1)", "torch.ones(2)", (False, False)),
        ("p.engine", "import json", "import json, csv", (False, False)),
        ("p.engine", "LIMIT = 3", "LIMIT = 3\nprint(LIMIT)", (True, True)),
        ("p.engine", "LIMIT = 3", "LIMIT = 3\nTABLE = {}\nTABLE['a'] = 1", (True, True)),
        ("p.deep", "x = 1", "x = 2", (True, False)),
        ("p.deep", "y = 2", "y = 3", (True, False)),
        ("p.tables", "return 1", "return 9", (True, False)),
        ("p.tables", "return 2", "return 9", (False, False)),
        ("p.stages.one", "run(params)", "run(params, *, more=1)", (True, False)),
    ],
)
def test_an_edit_changes_the_fingerprints_it_can_affect_and_no_other(name, old, new, changes):
    source = textwrap.dedent(BASE[name]).replace(textwrap.dedent(old), new)
    assert source != textwrap.dedent(BASE[name])
    found = prints(**{name.replace(".", "__"): source})
    assert (found[0] != ONE, found[1] != TWO) == changes


def test_only_versions_of_reached_packages_count():
    assert prints({**VERSIONS, "torch": "3.0"}) == (ONE, TWO)
    newer = prints({**VERSIONS, "numpy": "3.0"})
    assert newer[0] == ONE
    assert newer[1] != TWO


@pytest.mark.parametrize(
    "use",
    ["from p import tables\ndef run(): return vars(tables)", "import p.tables\ndef run(): return p.tables.read()"],
)
def test_a_module_used_as_a_value_counts_whole(use):
    before = prints(p__stages__two=use)[1]
    after = prints(p__stages__two=use, p__tables=BASE["p.tables"].replace("return 2", "return 9"))[1]
    assert before != after


def test_a_local_import_is_followed():
    stage = "def run():\n    from p.deep import inner\n    return inner(1)"
    reached = closure(modules(p__stages__two=stage), [Definition("p.stages.two", "run")])
    assert ("p.deep", "inner") in reached.definitions


def test_relative_imports_are_followed():
    stage = "from ..deep import inner\ndef run(): return inner(1)"
    reached = closure(modules(p__stages__two=stage), [Definition("p.stages.two", "run")])
    assert ("p.deep", "inner") in reached.definitions


def test_names_bound_in_a_branch_count_with_the_branch():
    engine = "try:\n    import torch\nexcept ImportError:\n    torch = None\ndef other(): return torch"
    before = prints(p__engine=engine)[1]
    assert prints(p__engine=engine.replace("torch = None", "torch = 1"))[1] != before


def test_a_star_import_is_refused():
    with pytest.raises(SyntaxError, match=r"p:2: `from ... import \*`"):
        parse_module("p", "x = 1\nfrom q import *")


def test_an_unknown_function_is_an_error():
    with pytest.raises(KeyError, match="has no walk"):
        fingerprint(modules(), [Definition("p.stages.one", "walk")], {})


@given(st.sampled_from(sorted(BASE)), st.integers(0, 3))
def test_blank_lines_and_comments_never_count(name, where):
    lines = textwrap.dedent(BASE[name]).splitlines()
    lines.insert(min(where, len(lines)), "# noise\n")
    try:
        ast.parse("\n".join(lines))
    except SyntaxError:
        return
    assert prints(**{name.replace(".", "__"): "\n".join(lines)}) == (ONE, TWO)


def test_canonical_tells_constants_of_different_type_apart():
    assert canonical(ast.parse("x = 1")) != canonical(ast.parse("x = True"))
    assert canonical(ast.parse("x = 1")) != canonical(ast.parse("x = 1.0"))
    assert canonical(ast.parse("x='a'")) == canonical(ast.parse('x = "a"'))


@pytest.mark.parametrize("package", ["torch", "no_such_package"])
def test_a_package_without_a_locked_version_is_refused(package):
    sources = modules(p__deep=f"def inner(value):\n    import {package}\n    return {package}.f(value)")
    with pytest.raises(EnvironmentFault, match=rf"lock: {package} .*`make lock`"):
        fingerprint(sources, [Definition("p.stages.one", "run")], {"numpy": "1.0"})


def test_the_lock_gives_versions_by_normalised_name():
    lock = "Ruamel.YAML==0.18.1\n    # via x\nfoo_bar[extra]==2.0 ; python_version > '3'\n-e .\n"
    assert locked_versions(lock) == {"ruamel-yaml": "0.18.1", "foo-bar": "2.0"}


def test_the_package_itself_parses_and_stages_differ():
    found = parse_package(Path("pipeline"))
    assert "pipeline" in found
    nodes, _, packages = closure(found, list_starts(found, "tokenize", "text-classification"))
    assert {("pipeline.models.tokenizer", "encode"), ("pipeline.settings.task", "TokenizeParams")} <= set(nodes)
    assert ("pipeline.settings.task", "FinetuneParams") not in nodes
    assert "tokenizers" in packages
    assert "torch" not in packages


PROGRAM = st.integers(2, 7).flatmap(
    lambda size: st.tuples(
        st.lists(st.sets(st.integers(0, size - 1), max_size=3), min_size=size, max_size=size),  # who names whom
        st.lists(st.integers(0, 3), min_size=size, max_size=size),  # the module of each definition
        st.permutations(range(size)),  # its name, and its place within the module
    )
)


def program(uses, places, names, *, edited=None, attribute=False):
    """Return a package in which definition i, named f<names[i]>, stands in module m<places[i]> and calls `uses[i]`."""
    sources = {"q": ""}
    for module in {*places}:
        imported, bodies = set(), []
        for one in sorted((i for i, place in enumerate(places) if place == module), key=lambda i: names[i]):
            calls = []
            for other in sorted(uses[one]):
                there = f"m{places[other]}"
                calls.append(
                    f"{there}.f{names[other]}()" if attribute and there != f"m{module}" else f"f{names[other]}()"
                )
                if places[other] != module:
                    imported.add(f"from q import {there}" if attribute else f"from q.{there} import f{names[other]}")
            bodies.append(f"def f{names[one]}(): return [{one + 100 * (one == edited)}, {', '.join(calls)}]")
        sources[f"q.m{module}"] = "\n".join([*sorted(imported), *bodies])
    found = {name: parse_module(name, source) for name, source in sources.items()}
    return fingerprint(found, [Definition(f"q.m{places[0]}", f"f{names[0]}")], {})


@given(PROGRAM, PROGRAM)
def test_moving_and_renaming_definitions_changes_no_fingerprint(one, other):
    uses, places, names = one
    before = program(uses, places, names)
    moved = [other[1][i % len(other[1])] for i in range(len(places))]
    assert program(uses, moved, list(reversed(names))) == before
    assert program(uses, moved, names, attribute=True) == before


@given(PROGRAM, st.integers(0, 6))
def test_editing_a_definition_changes_the_fingerprint_of_all_that_reach_it_and_no_other(given_program, edited):
    uses, places, names = given_program
    reached, waiting = set(), [0]
    while waiting:
        one = waiting.pop()
        if one not in reached:
            reached.add(one)
            waiting += uses[one]
    before = program(uses, places, names)
    assert (program(uses, places, names, edited=edited) != before) == (edited in reached)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("from math import ceil as f\ndef run(): return f", "from math import floor as f\ndef run(): return f"),
        ("A, B = 1, 2\ndef run(): return A", "A, B = 1, 2\ndef run(): return B"),
        ("if 1:\n    def a(): return 1\n    def b(): return 2\ndef run(): return a()",
         "if 1:\n    def a(): return 1\n    def b(): return 2\ndef run(): return b()"),
        ("def a(): return 1\ndef run(a): return a", "def a(): return 1\ndef run(b): return a"),
        ("def a(): return 1\ndef b(): return 2\ndef run(): return a() - b()",
         "def a(): return 1\ndef b(): return 2\ndef run(): return b() - a()"),
        ("X = [y for y in 'ab']\ndef run(): return X", "X = [y for y in 'ba']\ndef run(): return X"),
        ("A = [(y := x) for x in 'ab']\ndef run(): return y", "A = [(y := x) for x in 'ba']\ndef run(): return y"),
        ("def run():\n    from math import ceil as f\n    return f",
         "def run():\n    from math import floor as f\n    return f"),
    ],
)  # fmt: skip
def test_different_code_never_shares_a_fingerprint(before, after):
    prints = [fingerprint({"q": parse_module("q", text)}, [Definition("q", "run")], {}) for text in (before, after)]
    assert prints[0] != prints[1]


@pytest.mark.parametrize(
    "body",
    [
        "def run(work): return work",
        "def run(x):\n    work = x\n    return work",
        "def run(x):\n    for work in x: print(work)",
    ],
)
def test_a_local_name_is_no_use_of_the_modules_name(body):
    prints = [
        fingerprint({"q": parse_module("q", f"{other}\n{body}")}, [Definition("q", "run")], {})
        for other in ("", "def work(): return 1", "def work(): return 2")
    ]
    assert len(set(prints)) == 1


@pytest.mark.parametrize(
    "body",
    [
        "def run(work=work): return work",
        "def run(work: work): return work",
        "@work\ndef run(work): return work",
        "def run():\n    global work\n    work = work\n    return work",
        "def run():\n    def inner(work): return work\n    return inner(work)",
        "def run(): return work(work for work in 'ab')",
        "class run:\n    work = work",
    ],
)
def test_a_use_of_the_modules_name_beside_a_local_one_counts(body):
    prints = [
        fingerprint({"q": parse_module("q", f"{other}\n{body}")}, [Definition("q", "run")], {})
        for other in ("def work(x): return 1", "def work(x): return 2")
    ]
    assert len(set(prints)) == 2


def test_an_import_through_another_module_is_followed():
    def printed(value: int, route: str) -> str:
        sources = {
            "q": "", "q.deep": f"def f(): return {value}", "q.door": "from q.deep import f",
            "q.run": f"from q.{route} import f\ndef run(): return f()",
        }  # fmt: skip
        found = {name: parse_module(name, source) for name, source in sources.items()}
        return fingerprint(found, [Definition("q.run", "run")], {})

    assert printed(1, "door") == printed(1, "deep") != printed(2, "door")
