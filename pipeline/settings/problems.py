"""The errors of params.yaml, each under the dotted key that has to change."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Problems:
    """Errors by dotted key, in the order of their discovery; only the first error of a key is kept.

    `at` is the section that the keys of `add` are relative to, and `places` are those of its keys that stand elsewhere,
    by their own dotted keys. All views of `within` share the same errors.
    """

    errors: dict[str, str] = field(default_factory=dict)
    at: str = ""
    places: Mapping[str, str] = field(default_factory=dict)

    def within(self, at: str, places: Mapping[str, str] | None = None) -> "Problems":
        """Return the view of a section; `at` is relative to this one, `places` hold whole dotted keys."""
        return replace(self, at=self.locate(at), places=places or {})

    def add(self, key: str, error: str) -> None:
        """Add an error under a key of this section; under the section itself if `key` is empty."""
        self.errors.setdefault(self.locate(key), error)

    def locate(self, key: str) -> str:
        """Return the whole dotted key of a key of this section."""
        parts = key.split(".")
        for length in range(len(parts), 0, -1):
            head = ".".join(parts[:length])
            if head in self.places:
                return ".".join([self.places[head], *parts[length:]])
        return ".".join(part for part in (self.at, key) if part)

    def listing(self, lines: Mapping[str, int]) -> str:
        """Return one line an error: the line number of the nearest key at or above it, the key, the error."""
        return "\n".join(f"  {_line(key, lines)}{key}: {error}" for key, error in self.errors.items())


def describe_unknown(key: str, allowed: Sequence[str], *, kind: str = "key") -> str:
    """Return the error of a `key` that is not allowed: the nearest allowed one, or all of them if none is near."""
    near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.5)
    fix = f"did you mean `{near[0]}`?" if near else f"allowed: {', '.join(allowed) or 'none here'}"
    return f"unknown {kind}; {fix}"


def _line(key: str, lines: Mapping[str, int]) -> str:
    while key and key not in lines:
        key = key.rpartition(".")[0]
    return f"line {lines[key]}: " if key else ""
