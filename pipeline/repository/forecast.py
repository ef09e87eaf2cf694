"""The content of files once the earlier stages have run, from the disk and from the outputs that will have changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dvc.output import Output
from dvc_data.hashfile.tree import Tree


class Content(NamedTuple):
    """The future content of a path: DVC's hash and metadata, the tree of a folder, the file if it was precomputed."""

    hash_info: Any
    meta: Any
    tree: Tree | None
    file: Path | None = None


class Future(NamedTuple):
    """The outputs of the stages planned so far: by path, the new content (None: not known yet) and its producer."""

    contents: dict[str, Content | None]
    producers: dict[str, str]


def overlap(left: str, right: str) -> bool:
    """Return whether two absolute paths are equal, or one lies inside the other.

    Of strings, since a plan asks this of each dependency and each output, which DVC's own functions make slow.
    """
    return left == right or left.startswith(f"{right.rstrip('/')}/") or right.startswith(f"{left.rstrip('/')}/")


def find_overlaps(dep: Output, future: Future) -> list[str]:
    """Return the paths that an earlier stage will change and that equal `dep`, contain it or lie inside it."""
    place = str(dep.fs_path)
    return [path for path in future.contents if overlap(place, path)]


def forecast_content(dep: Output, future: Future) -> Content | None:
    """Return the future content of a dependency whose overlaps are all known; None if it will not exist."""
    changed = find_overlaps(dep, future)
    for path in changed:
        content = future.contents[path]
        assert content is not None  # noqa: S101 - the caller has checked
        if path == dep.fs_path:
            return content
        if dep.fs.isin(dep.fs_path, path):
            return _take_part(content, dep.fs.relparts(dep.fs_path, path))
    return _replace_parts(dep, {path: content for path in changed if (content := future.contents[path])})


def _take_part(folder: Content, key: tuple[str, ...]) -> Content | None:
    """Return the file or subfolder `key` of a folder."""
    if folder.tree is None:
        return None
    entry = folder.tree.get(key)
    if entry is not None:
        return Content(entry[1], entry[0], None)
    part = Tree()
    for parts, (meta, hash_info) in folder.tree.iteritems():
        if parts[: len(key)] == key:
            part.add(parts[len(key) :], meta, hash_info)
    return _folder_content(part)


def _replace_parts(dep: Output, changed: Mapping[str, Content]) -> Content | None:
    """Return the folder `dep` as it is on disk, with the changed outputs in place of the present ones."""
    folder = Tree()
    if dep.exists:
        _, _, present = dep._build(dep.cache, dep.fs_path, dep.fs, dep.hash_name, ignore=dep.dvcignore, dry_run=True)
        replaced = [dep.fs.relparts(path, dep.fs_path) for path in changed]
        for key, (meta, hash_info) in present.iteritems() if isinstance(present, Tree) else ():
            if not any(key[: len(parts)] == parts for parts in replaced):
                folder.add(key, meta, hash_info)
    for path, content in changed.items():
        parts = dep.fs.relparts(path, dep.fs_path)
        if content.tree is None:
            folder.add(parts, content.meta, content.hash_info)
        else:
            for key, (meta, hash_info) in content.tree.iteritems():
                folder.add((*parts, *key), meta, hash_info)
    return _folder_content(folder)


def _folder_content(tree: Tree) -> Content | None:
    """Return a folder as content, with its hash; None for an empty one."""
    if not len(tree):
        return None
    tree.digest()
    return Content(tree.hash_info, None, tree)
