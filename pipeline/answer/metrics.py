"""Metrics of the server in the form that Prometheus reads."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
TEXTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
TOKENS = (16, 64, 256, 512, 1024, 2048, 4096, 8192)


class Metrics:
    """The counters of one server, in a registry of their own: two servers in one process share none."""

    def __init__(self) -> None:
        """Begin with all at zero."""
        self._registry = registry = CollectorRegistry()

        def histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"transferline_{name}", meaning, labels, buckets=buckets, registry=registry)

        self.requests = Counter("transferline_requests", "Requests answered.", ["path", "code"], registry=registry)
        self.request_seconds = histogram("request_seconds", "From headers to the end of the answer.", SECONDS, "path")
        self.dropped = Counter("transferline_dropped", "Requests not computed.", ["model", "reason"], registry=registry)
        self.wait_seconds = histogram("wait_seconds", "A text in the queue.", SECONDS, "model")
        self.forward_seconds = histogram("forward_seconds", "One forward of the model.", SECONDS, "model")
        self.batch_texts = histogram("batch_texts", "Texts of one forward.", TEXTS, "model")
        self.batch_tokens = histogram("batch_tokens", "Tokens of one forward, padding included.", TOKENS, "model")
        self._texts = Gauge("transferline_queue_texts", "Texts that wait.", ["model"], registry=registry)
        self._tokens = Gauge("transferline_queue_tokens", "Tokens not yet computed.", ["model"], registry=registry)
        self._expected = Gauge("transferline_expected_wait_seconds", "Of a text now.", ["model"], registry=registry)
        self._version = Gauge(
            "transferline_model", "The model that answers: 1.", ["model", "version", "backend"], registry=registry
        )

    def watch_queue(
        self, model: str, *, texts: Callable[[], float], tokens: Callable[[], float], wait: Callable[[], float]
    ) -> None:
        """Show what a queue holds at the moment when it is asked for."""
        self._texts.labels(model).set_function(texts)
        self._tokens.labels(model).set_function(tokens)
        self._expected.labels(model).set_function(wait)

    def show_version(self, model: str, version: str, backend: str, *, answers: bool) -> None:
        """Show that a version answers, or that it does no more."""
        if answers:
            self._version.labels(model, version, backend).set(1)
        else:
            self._version.remove(model, version, backend)

    def expose(self) -> bytes:
        """Return all metrics as text."""
        return generate_latest(self._registry)
