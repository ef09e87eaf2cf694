"""The tags of each sentence, from those in the file: named, in BIO or plain, and of a legal sequence."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Sequence

from pipeline.core.errors import listed
from pipeline.examples.faults import Faults, RowErrors
from pipeline.examples.records import Records
from pipeline.kinds.token_classification.settings import TaggedParams, list_named_types
from pipeline.tagging.schemes import Tag, parse_tag, to_bio


class TagReader:
    """The reading of the tags of a file: each spelling is looked up once."""

    def __init__(self, params: TaggedParams, records: Records) -> None:
        """Take the params and the records that messages are about."""
        self._params, self._records = params, records
        self._column = params.tags or params.spans or params.words or ""
        self._types = list_named_types(params.labels or (), params.scheme)
        self._strip = re.compile(params.strip) if params.strip else None
        self._known: dict[str, Tag | None] = {}

    def read(self, tags: Sequence[Sequence[str | None] | None], empty: Collection[int]) -> list[tuple[str, ...] | None]:
        """Return the classes of the words of each row; None for one without tags.

        Raises:
            RowErrors: Rows without tags unless they may lack them, tags that are not in `labels`, sequences that break
                the scheme, or a type that no row has.
        """
        faults = Faults()
        with faults.gather():
            self._check_untagged(tags, empty)
        read: list[list[Tag] | None] = [None] * len(tags)
        with faults.gather():
            read = self._look_up(tags)
        faults.check()
        classes = self._join(read)
        self._check_types(classes)
        return classes

    def _check_untagged(self, tags: Sequence[Sequence[str | None] | None], empty: Collection[int]) -> None:
        rows = [(row, None) for row, own in enumerate(tags) if not own and row not in empty]
        if rows and self._params.unlabelled == "fail":
            remedy = "Tag the words, remove the rows, or set `unlabelled: drop`."
            raise self._records.fault("without tags", rows, remedy, column=self._column)

    def _look_up(self, tags: Sequence[Sequence[str | None] | None]) -> list[list[Tag] | None]:
        read, unknown = list[list[Tag] | None](), list[tuple[int, object]]()
        for row, own in enumerate(tags):
            parts = [self._parse(tag or "") for tag in own or ()]
            unknown += [(row, tag) for tag, parsed in zip(own or (), parts, strict=True) if parsed is None][:1]
            read.append([tag for tag in parts if tag is not None] or None)
        if unknown:
            raise self._records.fault(
                "with a tag that is not in `labels`", unknown, self._suggest(unknown), column=self._column
            )
        return read

    def _parse(self, spelling: str) -> Tag | None:
        if spelling not in self._known:
            tag = unicodedata.normalize("NFC", spelling).strip()
            tag = self._strip.sub("", tag) if self._strip else tag
            self._known[spelling] = self._name(tag)
        return self._known[spelling]

    def _name(self, tag: str) -> Tag | None:
        """Return what a tag of the file says; None if its type is not among those of `labels`."""
        labels, scheme = self._params.labels, self._params.scheme
        if isinstance(labels, dict):
            tag = labels.get(tag, tag if scheme != "none" else "")
        if scheme == "none":
            return Tag("", tag) if tag in self._types else None
        parsed = parse_tag(tag, scheme)
        if parsed and isinstance(labels, dict):
            parsed = parsed._replace(type=labels.get(parsed.type, parsed.type))
        return parsed if parsed and (not parsed.type or parsed.type in self._types) else None

    def _suggest(self, unknown: Sequence[tuple[int, object]]) -> str:
        """Return the fix: the types that are allowed, and those that the file has beside them."""
        allowed, named = f"Allowed are {listed(self._types, most=20)}", list[str]()
        for tag in {str(tag) for _, tag in unknown}:
            parsed = Tag("", tag) if self._params.scheme == "none" else parse_tag(tag, self._params.scheme)
            if parsed is None:
                return f"{allowed}, as `scheme: {self._params.scheme}` marks them. Correct them, or `scheme`."
            named.append(parsed.type)
        whole = json.dumps([*self._types, *sorted({*named} - {*self._types})], ensure_ascii=False)
        return f"{allowed}. Correct them, or set `labels: {whole}`."

    def _join(self, read: Sequence[list[Tag] | None]) -> list[tuple[str, ...] | None]:
        """Return the classes of each row.

        Raises:
            RowErrors: Sequences break the scheme, and `illegal` is `fail`.
        """
        scheme = self._params.scheme
        if scheme == "none":
            return [None if own is None else tuple(tag.type for tag in own) for own in read]
        joined = [None if own is None else to_bio(own, scheme) for own in read]
        if self._params.illegal == "fail":
            illegal = [
                (row, f"{own[bio.illegal[0]].mark}-{own[bio.illegal[0]].type} at word {bio.illegal[0] + 1}")
                for row, (own, bio) in enumerate(zip(read, joined, strict=True))
                if own and bio and bio.illegal
            ]
            if illegal:
                remedy = "Correct them, or `scheme`, or set `illegal: begin` to let such a tag begin a span."
                raise self._records.fault(f"that break the scheme {scheme}", illegal, remedy, column=self._column)
        return [None if bio is None else tuple(bio.tags) for bio in joined]

    def _check_types(self, classes: Sequence[tuple[str, ...] | None]) -> None:
        counts = Counter(tag for own in classes for tag in own or ())
        named = [*counts] if self._params.scheme == "none" else [tag[2:] for tag in counts]
        absent = [kind for kind in self._types if kind not in named]
        if absent and self._records.complete:  # otherwise they may be among those left out
            common = ", ".join(f"{listed([tag])} ({count})" for tag, count in counts.most_common(5))
            raise RowErrors(
                f"{self._records.file}: column {self._column!r}: no word of {listed(absent)}; the commonest tags are "
                f"{common}. Give `labels` without it, or add rows of it."
            )
