"""The layout of the package: where modules stand, how large they are, and that a name has one meaning."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

from pipeline.core.stage import FACETS

PACKAGE = Path("pipeline")
MODULES = sorted(PACKAGE.rglob("*.py"))
PACKAGES = sorted({path.parent for path in MODULES} - {PACKAGE})
NOT_NOUNS = ("What", "Which", "How", "Whether", "Where", "Why", "Who", "When", "If")
# Names that several modules define with the same meaning: each module is one of several that can stand for another.
SHARED = {
    "run": "the one function of every stage",
}


# Tests of what is no module: another database behind a service, the files beside the report's modules, all kinds, and
# what a parameter changes in every module of a kind.
OF_NO_MODULE = {
    Path("flow/test_postgres.py"),
    Path("report/test_templates.py"),
    Path("kinds/test_contract.py"),
    Path("kinds/test_new_kind.py"),
    Path("kinds/text_classification/test_windows.py"),
}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def defined_names(path: Path) -> set[str]:
    """Return the names of the functions, classes and constants of a module."""
    names = set()
    for statement in parse(path).body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            parts = (part for target in targets for part in ast.walk(target))  # of `A, (B, *C) = ...` each name
            names |= {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    return names


def test_nothing_stands_beside_the_packages_but_the_way_in():
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_a_package_is_one_docstring_and_a_few_modules(package):
    (statement,) = parse(package / "__init__.py").body
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Constant)
    # One module a stage of dvc.yaml: their number is that of the stages.
    if package.name != "stages":
        assert len(list(package.glob("*.py"))) - 1 <= 14


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_is_short_and_names_its_subject(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= (60 if path.parent.name == "stages" else 250)
    docstring = ast.get_docstring(parse(path))
    assert docstring
    assert docstring.split()[0].strip(",.:") not in NOT_NOUNS


def test_each_name_that_a_module_binds_is_defined(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("A = B = 1\nC, (D, *E) = range(3)\nF: int = A\nx[A], G.y = 1, 2\ndef f(): H = 1\nclass K: L = 1\n")
    assert defined_names(path) == {"A", "B", "C", "D", "E", "F", "f", "K"}


def test_a_public_name_has_one_meaning():
    places = defaultdict(set)
    for path in MODULES:
        # What two kinds of tasks call alike in modules called alike is the same thing of each.
        place = Path("pipeline/kinds", path.name) if path.parts[1:2] == ("kinds",) else path
        for name in defined_names(path):
            # Each kind of task has a facet of that name.
            is_facet = path.parts[1] == "kinds" and name.lower() == path.stem in FACETS
            if not name.startswith("_") and not is_facet:
                places[name].add(str(place))
    several = {name: found for name, found in places.items() if len(found) > 1}
    assert {name: found for name, found in several.items() if name not in SHARED} == {}
    assert several.keys() >= SHARED.keys()


def test_tests_mirror_the_packages():
    paths = {path.relative_to("tests") for path in Path("tests").glob("*/**/test_*.py")}
    modules = {path.relative_to(PACKAGE) for path in MODULES}
    assert {path for path in paths if path.with_name(path.name.removeprefix("test_")) not in modules} == OF_NO_MODULE


ANSWER = re.compile(r"^\| (?P<question>[^|]+\?) \| `(?P<path>[^`]+)` \| (?P<names>[^|]+) \|$", re.MULTILINE)
ANSWERS = ANSWER.findall(Path("CONTRIBUTING.md").read_text(encoding="utf-8"))


def test_a_newcomer_finds_ten_answers():
    assert len(ANSWERS) >= 10


@pytest.mark.parametrize(("path", "names"), [answer[1:] for answer in ANSWERS], ids=[answer[0] for answer in ANSWERS])
def test_an_answer_exists(path, names):
    text = Path(path).read_text(encoding="utf-8")
    for name in re.findall(r"`([^`]+)`", names):
        assert name in defined_names(Path(path)) if path.endswith(".py") else name in text
