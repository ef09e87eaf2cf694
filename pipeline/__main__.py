"""The command line `python -m pipeline`: one stage, or one of the commands that people type."""

import sys
from collections.abc import Sequence

from pipeline.commands import COMMANDS
from pipeline.core.command_line import run_stage
from pipeline.core.errors import PipelineError
from pipeline.core.stage import STAGES

_USAGE = f"""usage: python -m pipeline STAGE [NAME] --OPTION PATH ...   (the whole lines are in dvc.yaml)
       python -m pipeline COMMAND [WORD ...]
stages: {", ".join(STAGES)}
commands: {", ".join(COMMANDS)}"""


def main(arguments: Sequence[str]) -> int:
    """Return the exit code of `python -m pipeline *arguments`; a failure is one message on standard error."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_USAGE)
        return 0
    word, rest = arguments[0], arguments[1:]
    try:
        if word in COMMANDS:
            return COMMANDS[word](rest) or 0
        run_stage(word, rest)
    except PipelineError as error:
        print(f"{word}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
