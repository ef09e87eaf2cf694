"""`python -m pipeline STAGE ...`: one stage, or one of the commands people type."""

import sys
from collections.abc import Sequence

from pipeline.errors import PipelineError, UsageError
from pipeline.stage import STAGES, command_line


def main(arguments: Sequence[str]) -> int:
    """Return the exit code of `python -m pipeline *arguments`; a failure is one message on standard error."""
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(f"usage: python -m pipeline STAGE [NAME] --OPTION PATH ...\nstages: {', '.join(STAGES)}")
            return 0
        command_line(arguments[0], arguments[1:])
    except PipelineError as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
