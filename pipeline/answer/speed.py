"""Speed of a model, as its latest batches ran, and the wait that follows from it."""

KEPT = 0.9  # the weight of all batches before, when another is added: about the last ten count


class Speed:
    """Tokens per second, a weighted mean over the latest batches; one thread adds, any may ask."""

    def __init__(self, tokens: int, seconds: float) -> None:
        """Begin with one batch, of which both numbers are positive."""
        self._sums = float(tokens), seconds

    def add(self, tokens: int, seconds: float) -> None:
        """Count a batch that is large enough to tell how fast a full queue would be worked off."""
        self._sums = KEPT * self._sums[0] + tokens, KEPT * self._sums[1] + seconds

    def estimate_seconds(self, tokens: int) -> float:
        """Return how long so many tokens will take."""
        total, seconds = self._sums
        return tokens * seconds / total
