"""code: the source of the package -> a fingerprint for each stage, so that an edit reruns only affected stages."""

from pipeline.core.files import write_json
from pipeline.core.fingerprint import fingerprint
from pipeline.core.modules import Definition, parse_package
from pipeline.core.stage import STAGES, In, Out
from pipeline.core.versions import locked_versions


def run(*, package: In, lock: In, fingerprints: Out) -> None:
    """Fingerprint the `run` of every other stage with the code it reaches; DVC itself watches the files of this one."""
    modules = parse_package(package)
    versions = locked_versions(lock.read_text(encoding="utf-8"))
    values = {
        stage: fingerprint(modules, [Definition(f"{package.name}.stages.{stage}", "run")], versions)
        for stage in STAGES
        if stage != "code"
    }
    write_json(fingerprints, values)
