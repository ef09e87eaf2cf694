"""params: params.yaml -> the section each stage of each task reads, checked as a whole."""

from pipeline.core.errors import UsageError
from pipeline.core.files import read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.settings.resolve import resolve


def run(*, settings: In, profiles: In, resolved: Out) -> None:
    """Resolve params.yaml and the accepted profiles; refuse all errors at once."""
    try:
        text = settings.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{settings} is not UTF-8: {error}. Save it as UTF-8.") from error
    write_json(resolved, resolve(text, read_json(profiles)))
