"""The reference pages of the site, as Markdown made from what the pipeline itself reads."""

import ast
import html
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

# A line of YAML up to its comment: a `#` in quotes, or within a word, begins none.
CODE = re.compile(r"""((?:[^#'"]|'(?:[^']|'')*'|"(?:\\.|[^"\\])*"|(?<=\S)#)*)(?:#\s?(.*))?""")
KEY = re.compile(r"( +)([\w\"./-]+): *(.*)")
RULE = re.compile(r"-{20,}")


class Parameter(NamedTuple):
    """A key of a section of params.yaml: its dotted name, its value as written, and its comment."""

    key: str
    value: str
    meaning: str


def describe_params(texts: Mapping[str, str]) -> str:
    """Return the page of all parameters, given the text of each file by its name."""
    return "# Parameters\n\n" + "\n\n".join(
        f"## `{name}`\n\n{_introduction(text)}\n\n"
        + "\n\n".join(_describe_section(*section) for section in split(text))
        for name, text in texts.items()
    )


def split(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield each top-level key of a YAML text with the comment lines above it and with its lines."""
    key = re.compile(r"[\w-]+:")
    lines = text.splitlines()
    starts = [at for at, line in enumerate(lines) if key.match(line)]
    for start, end in itertools.pairwise([*starts, len(lines)]):
        above = itertools.takewhile(lambda line: line.startswith("#"), reversed(lines[:start]))
        body = (line for line in lines[start:end] if not line.startswith("#"))
        yield lines[start].partition(":")[0], [*above][::-1], [*body]


def list_parameters(lines: Sequence[str]) -> list[Parameter]:
    """Return the parameters of a section, maps before their keys; a value and a comment may go on below their key."""
    above: list[tuple[int, str]] = []
    rows: list[Parameter] = []
    for line in lines[1:]:
        code, comment = split_comment(line)
        match = KEY.match(code)
        if match and not (rows and _is_open(rows[-1].value)):
            above = [(depth, key) for depth, key in above if depth < len(match[1])]
            above.append((len(match[1]), match[2]))
            rows.append(Parameter(".".join(key for _, key in above), match[3].strip(), comment))
        elif rows:
            last = rows[-1]
            value, meaning = f"{last.value} {code.strip()}".strip(), f"{last.meaning} {comment}".strip()
            rows[-1] = last._replace(value=value, meaning=meaning)
    return rows


def _is_open(value: str) -> bool:
    """Return whether a value in brackets ends on a later line."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", value)
    return bare.count("{") + bare.count("[") > bare.count("}") + bare.count("]")


def split_comment(line: str) -> tuple[str, str]:
    """Return the code of a line of YAML and its comment, both without blanks around."""
    match = CODE.fullmatch(line)
    return (match[1].rstrip(), (match[2] or "").strip()) if match else (line, "")


def _introduction(text: str) -> str:
    """Return the comment at the top of a file as a paragraph."""
    lines = text.partition("\n\n")[0].splitlines()
    return _escape(" ".join(line.lstrip("# ") for line in lines if line.startswith("#")))


def _describe_section(name: str, above: Sequence[str], lines: Sequence[str]) -> str:
    """Return a section: its rows as a table, or, if a person writes its keys, the lines as they are."""
    comment = split_comment(lines[0])[1]
    notes = [line.removeprefix("#")[1:] for line in above if not RULE.search(line)]
    note = f"```text\n{chr(10).join(notes)}\n```\n\n" if name in WRITTEN and notes else ""
    head = f"### {name}\n\n" + (f"{_escape(comment)}\n\n" if comment else "") + note
    rows = list_parameters(lines)
    if name in WRITTEN:
        return head + "```yaml\n" + "\n".join(lines).rstrip() + "\n```"
    if not rows:
        return head + f"Default: `{split_comment(lines[0])[0].partition(': ')[2]}`"
    cells = (f"| `{row.key}` | {_code(row.value)} | {_escape(row.meaning)} |" for row in rows)
    return head + "| key | default | meaning |\n| --- | --- | --- |\n" + "\n".join(cells)


WRITTEN = ("sources", "encoders", "tasks")  # sections whose keys are names that a person chooses


def describe_stages(stages: Mapping[str, Any], folder: Path) -> str:
    """Return the page of the stages of a dvc.yaml, in their order here; `folder` holds a module for each."""
    return "# Stages\n\n" + "\n\n".join(_describe_stage(name, stage, folder) for name, stage in stages.items())


def _describe_stage(name: str, stage: Mapping[str, Any], folder: Path) -> str:
    instances = "foreach" in stage or "matrix" in stage
    body = {**stage, **stage.get("do", {})}
    module = ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))
    (run,) = (part for part in module.body if isinstance(part, ast.FunctionDef) and part.name == "run")
    subject = (ast.get_docstring(module) or "").partition(": ")[2]
    facts = {
        "reads": [*_paths(body.get("deps", ()))],
        "parameters": [f"{key}" for part in body.get("params", ()) if isinstance(part, dict) for key in _keys(part)],
        "writes": [*_paths(path for kind in ("outs", "metrics", "plots") for path in body.get(kind, ()))],
        "needs": [body["meta"]["resource"]] if "resource" in body.get("meta", {}) else [],
    }
    lines = (f"- {fact}: {', '.join(f'`{value}`' for value in values)}" for fact, values in facts.items() if values)
    title = f"{name}@…" if instances else name
    text = _without_sections(ast.get_docstring(run) or "")
    return f"## {title} {{#{name}}}\n\n**{_escape(subject)}**\n\n{_escape(text)}\n\n" + "\n".join(lines)


def _paths(entries: Iterable[Any]) -> Iterator[str]:
    """Yield the paths of dependencies or outputs, with NAME for what DVC fills in."""
    for entry in entries:
        yield re.sub(r"\$\{[^}]*\}", "NAME", next(iter(entry)) if isinstance(entry, dict) else entry)


def _keys(part: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the sections of the resolved params that a stage depends on; its own fingerprint goes without saying."""
    for path, keys in part.items():
        yield from (re.sub(r"\$\{[^}]*\}", "NAME", key) for key in keys if not path.endswith("code.json"))


def describe_commands(commands: Iterable[tuple[str, str]]) -> str:
    """Return the page of the commands, given the name and the help of each."""
    parts = (f"## {name}\n\n```text\n{help_text.strip()}\n```" for name, help_text in commands)
    return "# Commands\n\nEach is `python -m pipeline COMMAND`, or `transferline COMMAND` for short.\n\n" + "\n\n".join(
        parts
    )


def describe_exit_codes(text: str) -> str:
    """Return the page of the exit codes from the source of the module that defines them."""
    lines = (ast.get_docstring(ast.parse(text)) or "").splitlines()[1:]
    return "# Exit codes\n" + "\n".join(lines)


def list_pages(title: str, pages: Mapping[str, str]) -> str:
    """Return a page that lists others by their first headings, given the text of each by its file name."""
    return f"# {title}\n\n" + "\n".join(
        f"- [{name.partition('-')[0] + ' ' if name[:4].isdigit() else ''}{first_heading(text)}]({name})"
        for name, text in sorted(pages.items())
    )


def first_heading(text: str) -> str:
    """Return the first heading of a Markdown text."""
    match = re.search(r"^# (.*)$", text, flags=re.MULTILINE)
    return match[1] if match else ""


def read_yaml(text: str) -> Any:
    """Return what a YAML text holds."""
    return YAML(typ="safe", pure=True).load(text)


def _without_sections(docstring: str) -> str:
    """Return a docstring up to its first section, such as `Raises:`."""
    return re.split(r"^(?:Raises|Source|Args|Returns):$", docstring, flags=re.MULTILINE)[0].strip()


def _escape(text: str) -> str:
    """Return text as Markdown that shows it: code stays code, `|` divides no cells, and `*` is no emphasis."""
    parts = re.split(r"(`[^`]*`)", text)
    shown = (
        part if at % 2 else re.sub(r"([*_\[\]])", r"\\\1", html.escape(part, quote=False))
        for at, part in enumerate(parts)
    )
    return "".join(shown).replace("|", "\\|")


def _code(value: str) -> str:
    return f"`{value}`".replace("|", "\\|") if value else ""
