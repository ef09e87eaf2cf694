"""code: the package's source -> one fingerprint a stage, so that an edit reruns only what it can affect."""

from pipeline.files import write_json
from pipeline.fingerprint import fingerprint, locked_versions, parse_package
from pipeline.stage import STAGES, In, Out

# These two run before there are fingerprints; DVC itself watches their files.
BEFORE = ("params", "code")


def run(*, package: In, lock: In, fingerprints: Out) -> None:
    """Fingerprint the `run` of every other stage with all that it reaches."""
    modules = parse_package(package)
    versions = locked_versions(lock.read_text(encoding="utf-8"))
    values = {
        stage: fingerprint(modules, f"{package.name}.stages.{stage}", "run", versions)
        for stage in STAGES
        if stage not in BEFORE
    }
    write_json(fingerprints, values)
