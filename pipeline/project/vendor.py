"""The vendored files of a version of the pipeline: read from a clone, and committed to the history of a project.

Each version is a commit that holds its files alone, as they came, whose parent is the version before. A project begins
at such a commit and merges the later ones, so that Git's three-way merge keeps what was edited on either side.
"""

import io
import tarfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from pipeline.core.command import read_output, run_program
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.project.params_file import drop_demos

TEMPLATE = "pipeline/project/templates/README.md"
_LIST = "pipeline/project/templates/files.txt"
_OURS = "# For those who change the pipeline itself:"  # begins the part of the Makefile that is not vendored
_LICENSES = ("LICENSE", "pipeline/LICENSE")  # a project's own licence is its owner's choice
_TRAILER = "Transferline-Version"


class Version(NamedTuple):
    """A version of the pipeline: its number, the first digits of its commit, and the files of a project by path."""

    number: str
    commit: str
    files: dict[str, bytes]

    def __str__(self) -> str:
        """Return the version in words."""
        return f"Transferline {self.number} ({self.commit})"


def read_version(source: str, revision: str = "HEAD") -> Version:
    """Return the version that `source`, a folder or a URL that Git clones, has at a branch or tag.

    Raises:
        UsageError: There is no such repository or revision, or it holds no pipeline that can be vendored.
        EnvironmentFault: Git is not installed.
    """
    with TemporaryDirectory() as scratch:
        root = Path(scratch)
        read_output(["git", "init", "--quiet"], cwd=root)
        where = str(Path(source).resolve()) if Path(source).is_dir() else source
        words = ["git", "fetch", "--quiet", "--depth", "1", "--no-tags", "--end-of-options", where, revision]
        if (fetched := run_program(words, cwd=root)).returncode:
            reason = fetched.stderr.decode("utf-8", "replace").strip().rstrip(".")
            raise UsageError(
                f"{source} at {revision}: could not be fetched, {reason}. Name a repository and its branch or tag."
            )
        commit = read_output(["git", "rev-parse", "--short=12", "FETCH_HEAD^{commit}"], cwd=root)
        archive = run_program(["git", "archive", "--format=tar", "FETCH_HEAD"], cwd=root).stdout
    files = _unpack(archive)
    if _LIST not in files:
        raise UsageError(
            f"{source} at {revision}: has no {_LIST}. Name a clone of Transferline or a project made by it."
        )
    number = tomllib.loads(files["pyproject.toml"].decode())["project"]["version"]
    return Version(number, commit, select_vendored(files))


def list_edits(clone: Path) -> list[str]:
    """Return the files of a project that differ in the clone from its last commit, which alone is vendored."""
    listed = _read_list((clone / _LIST).read_bytes())
    words = ["git", "status", "--porcelain", "-z", "--no-renames", "--", *listed]
    entries = run_program(words, cwd=clone).stdout.decode("utf-8", "replace").split("\0")
    return [entry[len("XY ") :] for entry in entries if entry]


def select_vendored(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of a project out of those of a repository: the listed ones, without demos and our targets.

    Raises:
        UsageError: params.yaml is not valid YAML.
    """
    listed = _read_list(files[_LIST])
    chosen = {path: content for path, content in files.items() if _is_listed(path, listed)}
    chosen["params.yaml"] = drop_demos(chosen["params.yaml"].decode()).encode()
    if "Makefile" in chosen:
        chosen["Makefile"] = chosen["Makefile"].decode().partition(_OURS)[0].rstrip().encode() + b"\n"
    here, there = _LICENSES
    if here in chosen:
        chosen[there] = chosen.pop(here)
    return chosen


def commit_version(root: Path, version: Version, parent: str | None = None) -> str | None:
    """Commit the files of a version to the repository at `root`, on no branch, and return the commit.

    It is None if `parent`, the version before, has the same files.

    Raises:
        EnvironmentFault: Git failed.
    """
    git = read_output(["git", "rev-parse", "--absolute-git-dir"], cwd=root)
    with TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        write_files(tree, version.files)
        environment = {"GIT_DIR": git, "GIT_WORK_TREE": str(tree), "GIT_INDEX_FILE": f"{scratch}/index"}
        read_output(["git", "add", "--all", "--force", "."], cwd=tree, env=environment)
        identity = read_output(["git", "write-tree"], cwd=tree, env=environment)
    if parent and identity == read_output(["git", "rev-parse", f"{parent}^{{tree}}"], cwd=root):
        return None
    message = f"{version}\n\n{_TRAILER}: {version.number}"
    parents = ["-p", parent] if parent else []
    return read_output(["git", "commit-tree", identity, *parents, "-m", message], cwd=root)


def find_version(root: Path) -> str | None:
    """Return the commit of the newest version in the history of the project at `root`; None if there is none.

    Raises:
        EnvironmentFault: Git failed.
    """
    words = ["git", "log", "--topo-order", "--max-count=1", "--format=%H", f"--grep=^{_TRAILER}: ", "HEAD"]
    return read_output(words, cwd=root) or None


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _unpack(archive: bytes) -> dict[str, bytes]:
    """Return the files of a tar archive of Git's by path; links are left out."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            members = [member for member in opened if member.isfile()]
            return {member.name: opened.extractfile(member).read() for member in members}  # type: ignore[union-attr]
    except tarfile.TarError as error:
        raise EnvironmentFault(f"git archive: no whole archive, {error}. Free space, then run again.") from error


def _read_list(content: bytes) -> list[str]:
    return [line for line in content.decode().splitlines() if line and not line.startswith("#")]


def _is_listed(path: str, listed: Iterable[str]) -> bool:
    return any(path == name or (name.endswith("/") and path.startswith(name)) for name in listed)
