"""The events of MkDocs: pages made at build time, and links that lead to them."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:  # MkDocs loads this file by its path
    sys.path.insert(0, str(ROOT))

from docs.tooling.commands import list_commands  # noqa: E402
from docs.tooling.links import relink  # noqa: E402
from docs.tooling.reference import (  # noqa: E402
    describe_commands,
    describe_exit_codes,
    describe_params,
    describe_stages,
    list_pages,
    read_yaml,
)
from pipeline.core.stage import STAGES  # noqa: E402

# Files of the repository that are pages of the site: those of the first group are described, the others shown.
DESCRIBED = {
    "params.yaml": "reference/params.md",
    "dvc.yaml": "reference/stages.md",
    "pipeline/__main__.py": "reference/commands.md",
    "pipeline/core/errors.py": "reference/exit-codes.md",
}
SHOWN = {
    "data/README.md": "reference/data.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
LISTED = {"docs/decisions": "Decisions", "docs/benchmarks": "Benchmarks"}
PAGES = {**DESCRIBED, **SHOWN, **{folder: f"{folder.removeprefix('docs/')}/README.md" for folder in LISTED}}
ORIGINS = {page: file for file, page in PAGES.items() if file not in LISTED}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files below docs/."""
    for page, text in make_pages():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Lead the links to other files of the repository to their pages."""
    name = page.file.src_uri
    return relink(markdown, ORIGINS.get(name, f"docs/{name}"), name, PAGES)


def make_pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the Markdown of each page made at build time."""
    profiles = sorted(ROOT.glob("profiles/**/params.yaml"))
    texts = {path.relative_to(ROOT).as_posix(): _read(path) for path in (ROOT / "params.yaml", *profiles)}
    yield PAGES["params.yaml"], describe_params(texts)
    graphs = [read_yaml(_read(path))["stages"] for path in (ROOT / "dvc.yaml", *ROOT.glob("profiles/**/dvc.yaml"))]
    first = {name: graph[name] for graph in reversed(graphs) for name in graph if _is_whole(graph[name])}
    yield PAGES["dvc.yaml"], describe_stages({name: first[name] for name in STAGES}, ROOT / "pipeline/stages")
    yield PAGES["pipeline/__main__.py"], describe_commands(list_commands())
    yield PAGES["pipeline/core/errors.py"], describe_exit_codes(_read(ROOT / "pipeline/core/errors.py"))
    for file, page in SHOWN.items():
        yield page, _read(ROOT / file)
    for folder, title in LISTED.items():
        yield PAGES[folder], list_pages(title, {path.name: _read(path) for path in (ROOT / folder).glob("*.md")})


def _is_whole(stage: Mapping[str, Any]) -> bool:
    """Return whether an entry is that of a whole stage: a profile may change some keys of one."""
    return "params" in stage.get("do", stage) or "deps" in stage.get("do", stage)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
