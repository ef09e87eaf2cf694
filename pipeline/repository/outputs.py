"""The inputs and outputs of a run: imports to refresh, files that Git keeps, metrics and pages."""

from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException

from pipeline.core.errors import EnvironmentFault
from pipeline.repository.access import open_repository


def refresh_imports() -> None:
    """Fetch the newest version of each import (`dvc import`, `dvc import-url`); its .dvc file then names that version.

    Raises:
        UsageError: A file of DVC is broken.
        EnvironmentFault: There is no DVC repository, or a source cannot be reached.
    """
    with open_repository() as repo:
        for stage in [stage for stage in repo.index.stages if stage.is_import]:
            try:
                repo.update([stage.addressing])
            except DvcException as error:
                raise EnvironmentFault(f"{stage.addressing}: cannot be refreshed, {error}. Run again later.") from error


def list_git_paths() -> list[str]:
    """Return the paths that a run changes and Git keeps: dvc.lock, outputs outside of DVC's cache, `.dvc` files."""
    with open_repository() as repo:
        outs = [str(Path(out.fs_path).relative_to(repo.root_dir)) for out in repo.index.outs if not out.use_cache]
        entries = [stage.addressing for stage in repo.index.stages if not stage.cmd]
    return sorted({"dvc.lock", *outs, *entries})


def read_metrics() -> list[dict[str, Any]]:
    """Return a row for each metrics file: its name as `file`, and its top-level numbers."""
    with open_repository() as repo:
        files = repo.metrics.show().get("", {}).get("data", {})
    return [
        {
            "file": Path(name).stem,
            **{key: value for key, value in content["data"].items() if isinstance(value, int | float)},
        }
        for name, content in files.items()
        if isinstance(content.get("data"), dict)
    ]


def list_pages() -> list[Path]:
    """Return the HTML pages among the outputs that exist."""
    with open_repository() as repo:
        outs = [Path(out.fs_path) for out in repo.index.outs]
    return sorted(out for out in outs if out.suffix == ".html" and out.is_file())
