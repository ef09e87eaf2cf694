"""Speed of a model, as its latest batches ran, and the wait that follows from it."""

import time

from pipeline.predict.linear.predictor import UNCUT_LENGTH, AnyPredictor

KEPT = 0.9  # the weight of all batches before, when another is added: about the last ten count


class Speed:
    """Tokens per second, a weighted mean over the latest batches; one thread adds at a time, any may ask."""

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


class SharedTime:
    """Wall time, divided equally among the batches that run at the same time."""

    def __init__(self) -> None:
        """No batch runs yet."""
        self._running, self._changed, self._share = 0, 0.0, 0.0

    def begin(self, now: float) -> float:
        """Return the clock of a batch that begins `now`, seconds of a monotonic clock."""
        self._pass(now)
        self._running += 1
        return self._share

    def end(self, begun: float, now: float) -> float:
        """Return the seconds of a batch that ends now and began at `begun` of its clock."""
        self._pass(now)
        self._running -= 1
        return self._share - begun

    def _pass(self, now: float) -> None:
        if self._running:
            self._share += (now - self._changed) / self._running
        self._changed = now


def measure_speed(predictor: AnyPredictor, batch_tokens: int) -> Speed:
    """Return the speed of one full batch, the second of two: the first one also allocates."""
    question = predictor.answers.questions.sample(predictor.max_length or UNCUT_LENGTH)
    row, *_ = predictor.encode([predictor.fit(question)])
    batch = [row] * max(1, batch_tokens // len(row))
    predictor.predict(batch)
    start = time.monotonic()
    predictor.predict(batch)
    return Speed(len(row) * len(batch), max(time.monotonic() - start, 1e-6))
