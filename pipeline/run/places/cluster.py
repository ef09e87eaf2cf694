"""A Dask cluster as the place of stages, seen from the machine that drives the run.

Dask chooses the worker of a stage, and another one if that dies; data travel by DVC's remote.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock
from uuid import uuid4

from distributed import Client, KilledWorker
from distributed.client import FutureCancelledError

from pipeline.core.errors import FAULT_CODE, EnvironmentFault, UsageError
from pipeline.repository.delegation.driver import accept_delivery, place_order, require_shared_remote
from pipeline.repository.delegation.order import StageDelivery
from pipeline.repository.outputs import list_git_paths
from pipeline.repository.plan import PlannedStage
from pipeline.run.ending import StageEnd
from pipeline.run.execution import StageJob
from pipeline.run.places.code import ProjectCode, find_commit, pack_code, require_commit
from pipeline.run.places.here import start_here
from pipeline.run.places.versions import list_versions, require_versions
from pipeline.run.places.worker import reproduce_on_worker
from pipeline.run.process import STOPPED, end_of_stopped

SECONDS_TO_ANSWER = 10
_SECONDS_BETWEEN_LOOKS = 1.0
_LOST = "the connection to Dask's scheduler is lost. Start the scheduler, then run again."


@contextmanager
def open_cluster(address: str) -> Iterator["Cluster"]:
    """Yield the cluster whose scheduler is at `address`; its workers have this machine's versions.

    Raises:
        UsageError: The address is none, or code was changed since the last commit.
        EnvironmentFault: The scheduler does not answer, there is no worker, a worker has other versions, or DVC has no
            remote that all machines reach.
    """
    require_shared_remote()
    commit, written = find_commit(), list_git_paths()
    require_commit(commit, written)
    code = pack_code(commit)
    with _connect(address) as client:
        with _reach_scheduler(address):
            workers = client.run(list_versions, on_error="return")
        if not workers:
            raise EnvironmentFault(f"{address}: no worker. Start one by `dask worker {address}`, then run again.")
        for worker, versions in workers.items():
            if isinstance(versions, BaseException):
                raise EnvironmentFault(
                    f"{worker}: this package cannot be imported there, {versions!r}. Install it, then start the worker "
                    "again."
                )
            require_versions(list_versions(), versions, worker)
        yield Cluster(address, client, code, partial(require_commit, commit, written))


def _connect(address: str) -> Client:
    try:
        return Client(address, timeout=SECONDS_TO_ANSWER, set_as_default=False)
    except ValueError as error:
        raise UsageError(f"--on {address}: no address of a scheduler, {error}. Give tcp://HOST:8786.") from error
    except OSError as error:
        raise EnvironmentFault(
            f"{address}: no Dask scheduler answers, {error}. Start one by `dask scheduler`, then run again."
        ) from error


@contextmanager
def _reach_scheduler(address: str) -> Iterator[None]:
    """Turn the loss of the connection to the scheduler in the body, which asks it something, into an error.

    Raises:
        EnvironmentFault: It is lost.
    """
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(f"{address}: {_LOST}") from error


class Cluster:
    """The workers of a Dask scheduler."""

    def __init__(self, address: str, client: Client, code: ProjectCode, require_code: Callable[[], None]) -> None:
        """Nothing runs there yet; `code` is what the workers will check out.

        `require_code` raises an error if the code here is not the same any more.
        """
        self.address, self.client, self.code = address, client, code
        self._require_code, self._checked = require_code, False
        self.topic = f"transferline-{uuid4().hex}"
        self.lines: dict[str, SimpleQueue[str | None]] = {}  # of each running task, by its key
        self._dvc = Lock()  # one thread at a time: DVC would wait for its own lock by polling
        self._shared: set[str] = set()  # the stages whose outputs are on the remote
        client.subscribe_topic(self.topic, self._hear)

    @property
    def size(self) -> int:
        """The number of stages that the cluster runs at a time, at least 1.

        Raises:
            EnvironmentFault: The connection to the scheduler is lost.
        """
        with _reach_scheduler(self.address):
            threads: dict[str, int] = self.client.nthreads()
        return max(1, sum(threads.values()))

    def start(self, stage: PlannedStage, environment: Mapping[str, str]) -> StageJob:
        """Start a stage on a worker, or here if it takes no time: DVC restores it, or it is none that computes.

        Raises:
            EnvironmentFault: The remote or the scheduler cannot be reached.
            UsageError: DVC cannot read the project, a dependency is missing, or code was changed since the run began.
        """
        if not stage.portable or stage.verdict == "restore":
            return start_here(stage, environment)
        if self.client.status != "running":
            raise EnvironmentFault(f"{self.address}: the scheduler does not answer any more. Start it, then run again.")
        with self._dvc:
            if not self._checked:  # the fingerprints have just been made here, and later changes do not reach them
                self._require_code()
                self._checked = True
            order = place_order(stage.name, self._shared)
            if order is None:
                return start_here(stage, environment)
            self._shared.update(order.pulls)
        return DaskStage(self, stage, order.encode())

    def accept(self, stage: str, delivery: bytes, machine: str, *, ran: bool) -> None:
        """Bring the outputs of a stage here, and record it; one that the worker has restored has not `ran`.

        Raises:
            EnvironmentFault: The remote cannot be reached, or lacks an output.
        """
        with self._dvc:
            accept_delivery(stage, StageDelivery.decode(delivery), machine, timed=ran)
            self._shared.add(stage)

    def has_gpus(self) -> bool:
        """Return whether a worker offers the resource GPU.

        Raises:
            EnvironmentFault: The connection to the scheduler is lost.
        """
        with _reach_scheduler(self.address):
            workers = self.client.scheduler_info()["workers"].values()
        return any("GPU" in worker["resources"] for worker in workers)

    def _hear(self, event: tuple[float, dict[str, str]]) -> None:
        _, said = event
        if said["key"] in self.lines:
            self.lines[said["key"]].put(said["line"])


class DaskStage:
    """A stage that runs, or waits to run, on a worker."""

    def __init__(self, cluster: Cluster, stage: PlannedStage, order: bytes) -> None:
        """Submit it; `follow` then hands over its output."""
        self._cluster, self._stage, self._why = cluster, stage, ""
        self._key = f"{stage.name}-{uuid4().hex}"
        self._lines = cluster.lines[self._key] = SimpleQueue()
        needs_gpu = stage.resource == "gpu" and cluster.has_gpus()
        self._future = cluster.client.submit(
            reproduce_on_worker, stage.name, order, tuple(cluster.code), list_versions(), cluster.topic, stage.timeout,
            key=self._key, pure=False, retries=0, resources={"GPU": 1} if needs_gpu else None,
        )  # fmt: skip
        self._future.add_done_callback(lambda _: self._lines.put(None))

    def stop(self, why: str = STOPPED) -> None:
        """Have the worker end it within ten seconds; a second call does nothing."""
        if not self._why:
            self._why = why
            with suppress(Exception):  # of a scheduler that is gone, as its workers' tasks then are
                self._future.cancel()
            self._lines.put(None)

    def follow(self, print_line: Callable[[str], None]) -> StageEnd:
        """Hand over each line of its output; once it has ended, record its result here and return its end.

        Raises:
            EnvironmentFault: The remote cannot be reached, or lacks an output.
        """
        print_line(f"waits for a worker of {self._cluster.address}")
        try:
            while (line := self._next_line()) is not None:
                print_line(line)
            return self._finish()
        except BaseException:  # whatever ends the reading ends the stage: nothing would watch it
            self.stop()
            raise
        finally:
            del self._cluster.lines[self._key]
            self._future.release()  # otherwise Dask would compute it again if its worker died

    def _next_line(self) -> str | None:
        """Return the next line of the output, None at its end."""
        while self._cluster.client.status == "running":
            with suppress(Empty):
                return self._lines.get(timeout=_SECONDS_BETWEEN_LOOKS)
        return None

    def _finish(self) -> StageEnd:
        if self._why:
            return end_of_stopped(self._why)
        code = EnvironmentFault.exit_code
        why = _LOST
        result = None
        try:
            if self._future.done():
                result = self._future.result()
        except KilledWorker as error:  # with a code that is not retried: Dask has done that
            workers = error.allowed_failures + 1
            code, why = 1, f"{workers} workers died while they ran it. Read their logs, then run again."
        except FutureCancelledError:
            why = "Dask's scheduler has dropped it. Run again."
        except OSError:  # the connection is lost while the result comes; errors of the worker's own are in the result
            result = None
        except Exception as error:  # Dask raises here whatever was raised on the worker
            code = FAULT_CODE
            why = f"a fault of the pipeline itself on a worker, {error!r}. Report it with the worker's log."
        if result is None:
            return StageEnd("Failed", code, why)
        fields, delivery, machine = result
        end = StageEnd(**fields)
        if end.succeeded:
            self._cluster.accept(self._stage.name, delivery, machine, ran=end.state == "Ran")
        return end
