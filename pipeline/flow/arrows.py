"""The arrows of a run's graph: which tasks each task is drawn behind, with no arrow that a longer path implies."""

from collections.abc import Iterable


class Arrows:
    """The arrows between the stages that are drawn, in a graph that grows stage by stage, each after those it needs."""

    def __init__(self) -> None:
        """Nothing is drawn yet."""
        self._nearest: dict[str, frozenset[str]] = {}  # the drawn stages that stand for a stage: itself, if it is drawn
        self._above: dict[str, frozenset[str]] = {}  # all drawn stages from which a path leads to a drawn one

    def add(self, stage: str, needs: Iterable[str]) -> list[str]:
        """Draw a stage; return the drawn stages that it is directly behind, sorted."""
        before, above = self._look_up(needs)
        self._nearest[stage], self._above[stage] = frozenset([stage]), before | above
        return sorted(before)

    def pass_through(self, stage: str, needs: Iterable[str]) -> None:
        """Do not draw a stage: what needs it is drawn behind what it needs."""
        self._nearest[stage], _ = self._look_up(needs)

    def _look_up(self, needs: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Return the drawn stages directly before a stage with these needs, and all that are before those."""
        candidates = frozenset().union(*(self._nearest.get(need, frozenset()) for need in needs))
        above = frozenset().union(*(self._above[candidate] for candidate in candidates))
        return candidates - above, above
