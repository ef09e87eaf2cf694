"""What paths will hold once the stages before have run: from the disk, and from the outputs that will have changed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dvc.output import Output
from dvc_data.hashfile.tree import Tree


class Content(NamedTuple):
    """What a path will hold: DVC's hash of it, and the object itself (a tree for a folder)."""

    hash_info: Any
    meta: Any
    tree: Tree | None
    file: Path | None = None


class Future(NamedTuple):
    """What the stages so far will leave: by path the new content, or None where it is not known yet; who makes it."""

    contents: dict[str, Content | None]
    makers: dict[str, str]


def overlapping(dep: Output, future: Future) -> list[str]:
    """Return the paths that an earlier stage will change and that are `dep`, hold it or lie in it."""
    return [
        path for path in future.contents if dep.fs.isin_or_eq(dep.fs_path, path) or dep.fs.isin_or_eq(path, dep.fs_path)
    ]


def content_of(dep: Output, future: Future) -> Content | None:
    """Return what a dependency will hold, from the disk and the outputs that will have changed; None if nothing."""
    changed = overlapping(dep, future)
    for path in changed:
        content = future.contents[path]
        assert content is not None  # noqa: S101 - the caller has looked
        if path == dep.fs_path:
            return content
        if dep.fs.isin(dep.fs_path, path):
            return _inside(content, dep.fs.relparts(dep.fs_path, path))
    return _with_changes(dep, {path: content for path in changed if (content := future.contents[path])})


def _inside(content: Content, key: tuple[str, ...]) -> Content | None:
    """Return the file or folder `key` of a folder."""
    if content.tree is None:
        return None
    entry = content.tree.get(key)
    if entry is not None:
        return Content(entry[1], entry[0], None)
    part = Tree()
    for place, (meta, hash_info) in content.tree.iteritems():
        if place[: len(key)] == key:
            part.add(place[len(key) :], meta, hash_info)
    return whole(part)


def _with_changes(dep: Output, changed: Mapping[str, Content]) -> Content | None:
    """Return the folder `dep` as it is on disk, with the changed outputs in place of what is there now."""
    folder = Tree()
    if dep.exists:
        _, _, now = dep._build(dep.cache, dep.fs_path, dep.fs, dep.hash_name, ignore=dep.dvcignore, dry_run=True)
        inside = [dep.fs.relparts(path, dep.fs_path) for path in changed]
        for key, (meta, hash_info) in now.iteritems() if isinstance(now, Tree) else ():
            if not any(key[: len(parts)] == parts for parts in inside):
                folder.add(key, meta, hash_info)
    for path, content in changed.items():
        parts = dep.fs.relparts(path, dep.fs_path)
        if content.tree is None:
            folder.add(parts, content.meta, content.hash_info)
        else:
            for key, (meta, hash_info) in content.tree.iteritems():
                folder.add((*parts, *key), meta, hash_info)
    return whole(folder)


def whole(tree: Tree) -> Content | None:
    """Return the content that is a folder, with its hash; None for an empty one."""
    if not len(tree):
        return None
    tree.digest()
    return Content(tree.hash_info, None, tree)
