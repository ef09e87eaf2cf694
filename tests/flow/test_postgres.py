"""The same on PostgreSQL: a real server of the system's packages, if there is one."""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.given.projects import Api, Project, free_port, prefect_server, until
from tests.given.service import ended, serving, start

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database():
    """A PostgreSQL server on loopback with an empty database; it refuses root, so root lends it another user.

    Its folder is none of pytest's, whose parents nobody else may enter.
    """
    tools = {name: shutil.which(name) for name in ("initdb", "postgres", "psql")}
    if not all(tools.values()):
        pytest.skip(f"PostgreSQL is not installed: {[name for name, path in tools.items() if path is None]} missing")
    user = None
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = next((name for name in ("postgres", "nobody") if name in names), None)
        if user is None:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")
    with TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        more = {"cwd": folder, "stdin": subprocess.DEVNULL}
        if user:
            shutil.chown(folder, user, pwd.getpwnam(user).pw_gid)
            more |= {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        words = [tools["initdb"], "-D", folder / "data", "-A", "trust", "-U", "t", "--no-sync"]
        done = subprocess.run(words, check=False, text=True, capture_output=True, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        words = [tools["postgres"], "-D", folder / "data", "-p", str(port), "-h", "127.0.0.1", "-k", folder]
        with (folder / "log").open("w") as log, subprocess.Popen(words, stdout=log, stderr=log, **more) as server:
            try:
                ask = [tools["psql"], "-h", "127.0.0.1", "-p", str(port), "-U", "t", "-d", "postgres", "-c"]
                until(lambda: subprocess.run([*ask, "select 1"], check=False, capture_output=True).returncode == 0)
                subprocess.run([*ask, "create database prefect"], check=True, capture_output=True)
                yield f"postgresql+asyncpg://t@127.0.0.1:{port}/prefect"
            finally:
                server.send_signal(signal.SIGINT)  # a fast shutdown: it does not wait for clients


def test_a_run_is_kept_in_postgresql(tmp_path, tmp_path_factory, database):
    files = {"dvc.yaml": "stages:\n  a: {cmd: cp in.txt a, deps: [in.txt], outs: [a]}\n", "in.txt": "one"}
    project = Project(tmp_path, files)
    home = tmp_path_factory.mktemp("prefect")
    with prefect_server(home, database) as environment:
        api = Api(environment)
        output = project.run("python", "-m", "pipeline", "run", env=environment)
        (run,) = [flow_run for flow_run in api.flow_runs() if flow_run["name"] in output]
        assert api.ends(run["id"]) == {"a": "Ran"}
        assert "nothing changed" in project.run("python", "-m", "pipeline", "run", env=environment)
    assert not list(home.rglob("prefect.db"))


def test_what_is_served_is_kept_there_too(tmp_path, database):
    with serving(tmp_path, PREFECT_SERVER_DATABASE_CONNECTION_URL=database) as (project, api):
        run = start(api, "on-demand")
        assert ended(api, run) == "Completed"
        assert api.ends(run) == {"a": "Ran", "slow": "Ran"}
        plain = database.replace("+asyncpg", "")
        kept = project.run("psql", plain, "-At", "-c", "select id, state_name from flow_run")
        assert f"{run}|Completed" in kept.splitlines()
    assert not list(tmp_path.rglob("prefect.db"))
