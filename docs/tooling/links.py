"""The links of a page: in the repository they lead to files, on the site to the pages made of them."""

import os
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def relink(markdown: str, origin: str, page: str, pages: Mapping[str, str]) -> str:
    """Return `markdown` of the file `origin`, shown as `page`, with links to the pages of the files they name.

    `pages` maps a file of the repository to its page. A link to a file without a page becomes its text.
    """

    def lead(match: re.Match[str]) -> str:
        text, target, anchor = match.groups()
        file = os.path.normpath(PurePosixPath(origin).parent / target)
        there = pages.get(file) or (file.removeprefix("docs/") if file.startswith("docs/") else None)
        return f"[{text}]({os.path.relpath(there, PurePosixPath(page).parent)}{anchor or ''})" if there else text

    return LINK.sub(lead, markdown)
