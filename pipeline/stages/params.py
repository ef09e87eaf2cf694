"""params: params.yaml -> the section each stage of each task reads, checked as a whole."""

from pipeline.errors import UsageError
from pipeline.files import read_json, write_json
from pipeline.settings import resolve
from pipeline.stage import In, Out


def run(*, settings: In, profiles: In, resolved: Out) -> None:
    """Resolve params.yaml and the accepted profiles; refuse all errors at once."""
    try:
        text = settings.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{settings} is not UTF-8: {error}. Save it as UTF-8.") from error
    write_json(resolved, resolve(text, read_json(profiles)))
