"""A runner of the shell steps of a GitHub workflow: as written, in a real folder, in an environment of their own."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github/workflows"


def load(name: str) -> dict[str, Any]:
    workflow: dict[str, Any] = YAML(typ="safe", pure=True).load((FOLDER / name).read_text(encoding="utf-8"))
    return workflow


class Runner:
    """A job in progress: its workspace, its files of outputs, its PATH, and the values of its expressions."""

    def __init__(self, workflow: str, job: str, workspace: Path, temp: Path, values: Mapping[str, str]) -> None:
        self.job = load(workflow)["jobs"][job]
        self.workspace, self.temp, self.values = workspace, temp, dict(values)
        self.path = os.environ["PATH"]
        self.summary = temp / "summary.md"
        temp.mkdir(parents=True, exist_ok=True)

    def step(self, name: str) -> subprocess.CompletedProcess[str] | None:
        """Run one step; None if its condition is false."""
        step = next(item for item in self.job["steps"] if item.get("name") == name)
        if "if" in step and not self._holds(step["if"]):
            return None
        output, path = self.temp / "output", self.temp / "path"
        output.write_text("")
        path.write_text("")
        named = {**self.job.get("env", {}), **step.get("env", {})}
        variables = {key: self._fill(str(value)) for key, value in named.items()}
        environment = {
            "HOME": str(self.temp), "LANG": "C.UTF-8", "CI": "true", "PATH": self.path, "RUNNER_TEMP": str(self.temp),
            "GITHUB_OUTPUT": str(output), "GITHUB_PATH": str(path), "GITHUB_STEP_SUMMARY": str(self.summary),
            **variables,
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.workspace, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        for line in output.read_text().splitlines():
            key, _, value = line.partition("=")
            self.values[f"steps.{step['id']}.outputs.{key}"] = value
        for line in path.read_text().splitlines():
            self.path = f"{line}:{self.path}"
        return done

    def _holds(self, condition: str) -> bool:
        left, right = (part.strip() for part in condition.split("=="))
        return self.values.get(left, "") == right.strip("'")

    def _fill(self, text: str) -> str:
        return re.sub(r"\$\{\{\s*([\w.-]+)\s*\}\}", lambda match: self.values.get(match[1], ""), text)
