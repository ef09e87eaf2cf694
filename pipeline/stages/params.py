"""params: params.yaml -> the section each stage of each task reads, checked as a whole."""

from pipeline.files import read_json, write_json
from pipeline.settings import resolve
from pipeline.stage import In, Out


def run(*, settings: In, profiles: In, resolved: Out) -> None:
    """Resolve params.yaml and the accepted profiles; refuse all errors at once."""
    write_json(resolved, resolve(settings.read_text(encoding="utf-8"), read_json(profiles)))
