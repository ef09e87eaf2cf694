"""params: params.yaml -> the section that each stage of each task reads, checked as a whole."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.core.errors import DataError, UsageError
from pipeline.core.files import read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.settings.corrections import Correction, parse_corrections
from pipeline.settings.resolve import resolve_params
from pipeline.settings.shared.kind import Settings


def run(kinds: Mapping[str, Settings], *, settings: In, profiles: In, corrections: In, resolved: Out) -> None:
    """Resolve params.yaml with the accepted profiles and the corrections of labels; report all errors at once.

    Raises:
        UsageError: params.yaml is not valid.
        DataError: A file of corrections is not valid.
    """
    try:
        text = settings.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{settings}: must be UTF-8, found {error}. Save it as UTF-8.") from error
    files = {path.relative_to(corrections).as_posix(): path for path in sorted(corrections.rglob("*.csv"))}
    by_file = {name: _read_corrections(path) for name, path in files.items()}
    write_json(resolved, resolve_params(text, kinds, read_json(profiles), by_file))


def _read_corrections(path: Path) -> dict[str, Correction]:
    try:
        return parse_corrections(path.read_text(encoding="utf-8-sig"), file=str(path))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: must be UTF-8, found {error}. Save it as UTF-8.") from error
