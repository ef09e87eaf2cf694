"""code: the source of the package -> a fingerprint for each stage, so that an edit reruns only affected stages."""

from pipeline.core.files import write_json
from pipeline.core.fingerprint import Templates, find_facets, fingerprint, list_starts
from pipeline.core.modules import parse_package
from pipeline.core.stage import KINDS, STAGES, In, Out
from pipeline.core.versions import locked_versions


def run(*, package: In, lock: In, fingerprints: Out) -> None:
    """Fingerprint the `run` of every other stage with the code it reaches; DVC itself watches the files of this one.

    A stage that asks for a facet has a fingerprint for each kind of task.
    """
    modules = parse_package(package)
    versions = locked_versions(lock.read_text(encoding="utf-8"))
    templates = Templates()

    def identify(stage: str, kind: str | None = None) -> str:
        return fingerprint(modules, list_starts(modules, stage, kind, package.name), versions, templates)

    asking = {stage for stage in STAGES if find_facets(modules, stage, package.name)}
    values = {
        stage: {kind: identify(stage, kind) for kind in KINDS} if stage in asking else identify(stage)
        for stage in STAGES
        if stage != "code"
    }
    write_json(fingerprints, values)
