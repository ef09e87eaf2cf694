"""The README and the documentation: what they link and name exists, and the site is built without a warning."""

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.tooling.commands import list_commands
from docs.tooling.links import relink
from docs.tooling.reference import (
    describe_exit_codes,
    describe_params,
    describe_stages,
    first_heading,
    list_pages,
    list_parameters,
    read_yaml,
    split,
    split_comment,
)
from pipeline.core import errors
from pipeline.core.stage import STAGES
from pipeline.report.readme import first_table

README = Path("README.md").read_text(encoding="utf-8")
WRITTEN = [Path("README.md"), Path("CONTRIBUTING.md"), Path("data/README.md"), *sorted(Path("docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#[^)\s]*)?\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
PARAMS = [Path("params.yaml"), *sorted(Path("profiles").rglob("params.yaml"))]


# ------------------------------------------------------------------------------------------------ what is written
def test_the_readme_is_read_in_a_few_minutes():
    assert len(README.split()) <= 900


def test_a_table_of_the_readme_fits_the_page():
    hand_made = re.sub(r"<!-- results -->.*<!-- /results -->", "", README, flags=re.DOTALL)
    widths = [line.count("|") - 1 for line in hand_made.splitlines() if line.startswith("|")]
    assert widths
    assert max(widths) <= 8


def test_the_table_of_results_is_that_of_the_report():
    """Of the one on disk, or of the committed one if this machine has made another since."""
    report = Path("data/report.md").read_text(encoding="utf-8")
    kept = subprocess.run(["git", "show", "HEAD:data/report.md"], capture_output=True, text=True, check=True).stdout
    shown = re.search(r"<!-- results -->\n(.*?)\n<!-- /results -->", README, flags=re.DOTALL)
    assert shown
    assert shown[1] in (first_table(report), first_table(kept))


def test_the_example_is_the_page_of_the_report_that_git_keeps():
    """Or that of the report on disk, if this machine has made another since."""
    example = Path("docs/example.html").read_text(encoding="utf-8")
    (identity,) = re.findall(r"<title>.* \((\w+)\)</title>", example)
    kept = subprocess.run(["git", "show", "HEAD:data/report.md"], capture_output=True, text=True, check=True).stdout
    assert f"\nResults {identity}.\n" in kept + Path("data/report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WRITTEN, ids=str)
def test_every_link_leads_somewhere(path):
    text = BLOCK.sub("", path.read_text(encoding="utf-8"))
    missing = [link for link in LINK.findall(text) if link and not (path.parent / link).exists()]
    assert missing == []


def test_every_target_and_command_to_type_exists():
    told = [path for path in WRITTEN if "decisions" not in path.parts and path.name != "log.md"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in told)
    targets = set(re.findall(r"^(?:.* && )?make ([a-z][a-z0-9-]*)|`make ([a-z][a-z0-9-]*)", text, flags=re.MULTILINE))
    named = {name for pair in targets for name in pair if name}
    assert {"repro", "test", "run"} <= named
    makefile = Path("Makefile").read_text(encoding="utf-8")
    assert {name for name in named if not re.search(rf"^{name}:", makefile, flags=re.MULTILINE)} == set()
    commands = set(re.findall(r"python -m pipeline ([a-z]+)", text))
    assert {"plan", "diff"} <= commands
    assert commands - {*STAGES, *dict(list_commands())} == set()


# ------------------------------------------------------------------------------------------------ the reference
def leaves(value, path=()):
    """Yield the dotted key of everything in a section that is no map."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    else:
        yield ".".join(path)


@pytest.mark.parametrize("path", PARAMS, ids=str)
def test_every_key_of_the_params_is_on_their_page(path):
    text = path.read_text(encoding="utf-8")
    page = describe_params({str(path): text})
    for name, section in read_yaml(text).items():
        part = page.partition(f"### {name}\n")[2].partition("\n### ")[0]
        assert part, name
        for leaf in leaves(section):
            # a map on one line is shown as it is, and so are the sections whose keys a person chooses
            assert f"| `{leaf}` |" in part or all(
                re.search(rf"(?<!\w){re.escape(key)}(?!\w)", part) for key in leaf.split(".")
            ), leaf


def test_a_parameter_is_its_key_value_and_comment():
    section = """s:   # of all
  a: 1         # meaning, [0, 1];
               # and more
  b: '#'       # | or "x" # y
  c:           # a map
    d: {e: 1,  # first
        f: 2}
  g: h#i
"""
    ((name, above, lines),) = split(f"# top\n\n# ---- s\n# about s\n{section}")
    assert (name, above) == ("s", ["# ---- s", "# about s"])
    assert [tuple(row) for row in list_parameters(lines)] == [
        ("a", "1", "meaning, [0, 1]; and more"),
        ("b", "'#'", '| or "x" # y'),
        ("c", "", "a map"),
        ("c.d", "{e: 1, f: 2}", "first"),
        ("g", "h#i", ""),
    ]


@given(st.text(alphabet="ab: {}[],\\", max_size=20), st.text(alphabet="ab'\"#", max_size=8))
def test_a_comment_is_what_follows_the_first_free_hash(code, comment):
    assert split_comment(f"{code} # {comment}") == (code.rstrip(), comment)


def test_every_stage_is_on_their_page_with_what_it_reads_and_writes():
    page = describe_stages(read_yaml(Path("dvc.yaml").read_text(encoding="utf-8"))["stages"], Path("pipeline/stages"))
    part = page.partition("{#finetune}")[2].partition("\n## ")[0]
    for fact in ("data/tokens/NAME.arrow", "finetune.NAME", "data/model/NAME", "needs: `gpu`"):
        assert fact in part
    assert "data/code.json" not in part


def test_every_exit_code_is_on_their_page():
    page = describe_exit_codes(Path(str(errors.__file__)).read_text(encoding="utf-8"))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")]
    assert all(f"`{kind.__name__}`" in page for kind in kinds if kind is not errors.PipelineError)


def test_pages_are_listed_by_their_titles():
    listed = list_pages("All", {"0002-b.md": "# Two\n", "a.md": "x\n# One\n# No\n"})
    assert listed == "# All\n\n- [0002 Two](0002-b.md)\n- [One](a.md)"
    assert first_heading("none") == ""


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("[a](../../params.yaml)", "[a](../reference/params.md)"),
        ("[a](../../params.yaml#x)", "[a](../reference/params.md#x)"),
        ("[a](../labels.md)", "[a](../labels.md)"),
        ("[a](../decisions)", "[a](../decisions/README.md)"),
        ("[a](../../pipeline/x.py)", "a"),
        ("[a](https://example.org/x)", "[a](https://example.org/x)"),
        ("[a](#x)", "[a](#x)"),
        ("![a](../flow.png)", "![a](../flow.png)"),
    ],
)
def test_a_link_leads_to_the_page_of_its_file(link, expected):
    pages = {"params.yaml": "reference/params.md", "docs/decisions": "decisions/README.md"}
    assert relink(link, "docs/how-to/x.md", "how-to/x.md", pages) == expected


def test_a_page_shown_elsewhere_keeps_its_links():
    assert relink("[a](docs/log.md)", "CONTRIBUTING.md", "deep/er/c.md", {}) == "[a](../../log.md)"


# ------------------------------------------------------------------------------------------------ the site
class Loaded(HTMLParser):
    """What a page has the browser load from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.remote: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" or (tag == "link" and values.get("rel") == "canonical"):
            return
        self.remote += [value for key in ("src", "href", "srcset") if "//" in (value := values.get(key) or "")]


@pytest.mark.skipif(importlib.util.find_spec("material") is None, reason="no mkdocs-material; pip install '.[docs]'")
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    pages = sorted(tmp_path.rglob("*.html"))
    assert {"index.html", "reference/params.html"} <= {page.relative_to(tmp_path).as_posix() for page in pages}
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        assert loaded.remote == [], page
    for sheet in tmp_path.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8"))
