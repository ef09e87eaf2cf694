"""A fresh virtual environment, and an index for its pip: the packages of this environment as wheels."""

import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path
from zipfile import ZipFile

import pip
from packaging.requirements import Requirement


def make_environment(folder: Path) -> Path:
    """Make a virtual environment that holds pip alone, and return the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "pip").symlink_to(Path(pip.__file__).parent)
    return folder / "bin"


def pack_wheels(names: Iterable[str], folder: Path) -> None:
    """Write the installed distributions, and all that they require here, as wheels."""
    folder.mkdir()
    waiting, packed = list(names), set()
    while waiting:
        package = distribution(waiting.pop())
        if package.name in packed:
            continue
        packed.add(package.name)
        pack_wheel(package, folder)
        requirements = map(Requirement, package.requires or ())
        waiting += [need.name for need in requirements if need.marker is None or need.marker.evaluate({"extra": ""})]


def pack_wheel(package: Distribution, folder: Path) -> None:
    """Write one installed distribution as a wheel."""
    lines = (package.read_text("WHEEL") or "").splitlines()
    tags = [line.removeprefix("Tag: ").split("-") for line in lines if line.startswith("Tag: ")]
    tag = "-".join(".".join(sorted(set(parts))) for parts in zip(*tags, strict=True))
    with ZipFile(folder / f"{package.name.replace('-', '_')}-{package.version}-{tag}.whl", "w") as wheel:
        for file in package.files or ():
            if ".." not in file.parts and file.suffix != ".pyc" and file.name not in ("INSTALLER", "REQUESTED"):
                with wheel.open(str(file), "w") as target, package.locate_file(file).open("rb") as source:
                    shutil.copyfileobj(source, target)
