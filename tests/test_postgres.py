"""The same on PostgreSQL: a real server of the system's packages, where there is one."""

import os
import pwd
import shutil
import subprocess

import pytest

from tests.projects import Api, Project, free_port, prefect_server, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """A PostgreSQL server on loopback with an empty database; it refuses root, so root lends it another user."""
    tools = {name: shutil.which(name) for name in ("initdb", "postgres", "psql")}
    if not all(tools.values()):
        pytest.skip(f"PostgreSQL is not installed: {[name for name, path in tools.items() if path is None]} missing")
    user = None
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = next((name for name in ("postgres", "nobody") if name in names), None)
        if user is None:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody")
    folder = tmp_path_factory.mktemp("postgres")
    for parent in [folder, *folder.parents][:-2]:
        parent.chmod(0o755)
    if user:
        shutil.chown(folder, user)
    port = free_port()
    more = {"user": user, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([tools["initdb"], "-D", folder / "data", "-A", "trust", "-U", "t"], check=True, **more)
    words = [tools["postgres"], "-D", folder / "data", "-p", str(port), "-h", "127.0.0.1", "-k", folder]
    with subprocess.Popen(words, **more) as server:
        ask = [tools["psql"], "-h", "127.0.0.1", "-p", str(port), "-U", "t", "-d", "postgres", "-c"]
        until(lambda: subprocess.run([*ask, "select 1"], check=False, capture_output=True).returncode == 0)
        subprocess.run([*ask, "create database prefect"], check=True, capture_output=True)
        yield f"postgresql+asyncpg://t@127.0.0.1:{port}/prefect"
        server.terminate()


def test_a_run_is_kept_in_postgresql(tmp_path, tmp_path_factory, database):
    files = {"dvc.yaml": "stages:\n  a: {cmd: cp in.txt a, deps: [in.txt], outs: [a]}\n", "in.txt": "one"}
    project = Project(tmp_path, files)
    with prefect_server(tmp_path_factory.mktemp("prefect"), database) as environment:
        api = Api(environment)
        told = project.run("python", "-m", "pipeline", "run", env=environment)
        (run,) = [found for found in api.flow_runs() if found["name"] in told]
        assert api.ends(run["id"]) == {"a": "Ran"}
        assert "nothing changed" in project.run("python", "-m", "pipeline", "run", env=environment)
    assert not list(tmp_path.parent.rglob("prefect.db"))
