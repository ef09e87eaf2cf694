"""The configuration of Prefect's server: its work pool, the automation for killed runs, and what it has deployed."""

import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import cast

from prefect.automations import Automation, EventTrigger, Posture
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.actions import ChangeFlowRunState
from prefect.workers.process import ProcessWorker

POOL = "transferline"
SECONDS_WITHOUT_HEARTBEAT = 120
_SECONDS_TO_START, _SECONDS_TO_SCHEDULE = 180.0, 20.0  # the server plans the runs of a new schedule every five seconds


def create_pool() -> None:
    """Create the work pool, or set it up anew: it takes one run at a time, since all runs share a workspace."""
    template = ProcessWorker.get_default_base_job_template()
    pool = WorkPoolCreate(name=POOL, type=ProcessWorker.type, base_job_template=template, concurrency_limit=1)
    with get_client(sync_client=True) as client:
        client.create_work_pool(pool, overwrite=True)


def crash_zombies(seconds: float = SECONDS_WITHOUT_HEARTBEAT) -> None:
    """Have the server mark a run as crashed if it sends no heartbeat for so long: a killed run cannot report itself.

    Source: https://docs.prefect.io/v3/advanced/detect-zombie-flows
    """
    name = "Crash zombie flows"
    with suppress(ValueError):
        cast(Automation, Automation.read(name=name)).delete()
    ends = ("heartbeat", "Completed", "Failed", "Cancelled", "Crashed")
    Automation(
        name=name,
        trigger=EventTrigger(
            after={"prefect.flow-run.heartbeat"},
            expect={f"prefect.flow-run.{end}" for end in ends},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=seconds),
        ),
        actions=[ChangeFlowRunState(state=StateType.CRASHED, message="no heartbeat: its process was killed")],
    ).create()


def wait_for_worker(worker: subprocess.Popen[bytes]) -> bool:
    """Wait until a worker of the pool is online, at most three minutes; return False if none is, or `worker` ended."""
    asked, end = datetime.now(UTC), time.monotonic() + _SECONDS_TO_START
    with get_client(sync_client=True) as client:
        while time.monotonic() < end and worker.poll() is None:
            beats = [member.last_heartbeat_time for member in client.read_workers_for_work_pool(POOL)]
            if any(beat and beat >= asked for beat in beats):
                return True
            time.sleep(0.5)
    return False


def describe_deployments() -> list[str]:
    """Return a line for each deployment: its name, and if it is on a schedule, that and its next run."""
    with get_client(sync_client=True) as client:
        deployments = client.read_deployments()
    return [_describe(deployment) for deployment in sorted(deployments, key=lambda deployment: deployment.name)]


def _describe(deployment: DeploymentResponse) -> str:
    schedules = [item.schedule for item in deployment.schedules if item.active]
    if not schedules:
        return f"{deployment.name}, started by hand"
    crons = [f"{item.cron} {item.timezone}" for item in schedules if isinstance(item, CronSchedule)]
    start = _find_next_run(deployment)
    when = f"next {start:%Y-%m-%d %H:%M} UTC" if start else "no run is planned yet"
    return ", ".join([deployment.name, *crons, when])


def _find_next_run(deployment: DeploymentResponse) -> datetime | None:
    """Return when the next run of a scheduled deployment starts; None if the server does not plan one for a while."""
    end = time.monotonic() + _SECONDS_TO_SCHEDULE
    with get_client(sync_client=True) as client:
        while time.monotonic() < end:
            runs = client.get_scheduled_flow_runs_for_deployments([deployment.id])
            starts = [run.expected_start_time for run in runs if run.expected_start_time]
            if later := [start for start in starts if start > datetime.now(UTC)]:
                return min(later)
            time.sleep(0.5)
    return None
