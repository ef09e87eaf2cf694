"""The service: the models that answer now, and what each of their requests may take."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pipeline.answer.batcher import Batcher
from pipeline.answer.metrics import Metrics
from pipeline.core.document import Document
from pipeline.predict.logits import ModelRows

FindNearTexts = Callable[[ModelRows], list[Document]]  # the training texts near one; importing its maker imports torch


class Patience(NamedTuple):
    """How long what may take, in seconds.

    Args:
        wait: Expected in the queue, beyond which requests are refused.
        answer: A request may take, if it does not say less.
        linger: Requests are still accepted after SIGTERM, until balancers have seen that this server is not ready.
    """

    wait: float
    answer: float
    linger: float


class Service:
    """What the parts of the server share; only the event loop changes it."""

    def __init__(
        self,
        models: dict[str, Batcher],
        metrics: Metrics,
        patience: Patience,
        neighbours: Mapping[str, FindNearTexts] = MappingProxyType({}),
    ) -> None:
        """Begin with the models, and what finds the training texts near a text, by their names."""
        self.models, self.metrics, self.patience = models, metrics, patience
        self.neighbours, self.finding = neighbours, asyncio.Lock()
        self.draining = False
        for name, batcher in models.items():
            metrics.show_version(name, batcher.predictor.version, batcher.predictor.backend, answers=True)

    def is_ready(self) -> bool:
        """Return whether requests should be sent here."""
        return not self.draining and all(batcher.is_alive() for batcher in self.models.values())

    def exchange(self, name: str, batcher: Batcher) -> Batcher:
        """Have another batcher answer under a name from now on; return the one before."""
        before, self.models[name] = self.models[name], batcher
        metrics = self.metrics
        metrics.show_version(name, before.predictor.version, before.predictor.backend, answers=False)
        metrics.show_version(name, batcher.predictor.version, batcher.predictor.backend, answers=True)
        return before
