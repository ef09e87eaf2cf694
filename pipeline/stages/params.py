"""params: params.yaml -> the section that each stage of each task reads, checked as a whole."""

from pipeline.core.errors import UsageError
from pipeline.core.files import read_json, write_json
from pipeline.core.stage import In, Out
from pipeline.settings.resolve import resolve_params


def run(*, settings: In, profiles: In, resolved: Out) -> None:
    """Resolve params.yaml with the accepted profiles; report all errors at once.

    Raises:
        UsageError: params.yaml is not valid.
    """
    try:
        text = settings.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{settings}: must be UTF-8, found {error}. Save it as UTF-8.") from error
    write_json(resolved, resolve_params(text, read_json(profiles)))
