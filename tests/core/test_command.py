import os
import re
import sys

import pytest

from pipeline.core.command import LINES_SHOWN, read_output, run_program
from pipeline.core.errors import EnvironmentFault


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_the_output_is_text_without_white_space_around_it():
    assert read_output(python("print('  ü\\nb \\n')"), env={"PYTHONIOENCODING": "utf-8"}) == "ü\nb"


def test_the_bytes_and_the_exit_code_come_back_whatever_they_are():
    completed = run_program(python("import sys; sys.stdout.buffer.write(b'\\xff\\n'); sys.exit(3)"))
    assert (completed.returncode, completed.stdout, completed.stderr) == (3, b"\xff\n", b"")


def test_a_program_has_its_folder_the_environment_with_additions_and_its_input(tmp_path, monkeypatch):
    monkeypatch.setenv("KEPT", "kept")
    code = "import os, sys; print(os.getcwd(), os.environ['KEPT'], os.environ['ADDED'], sys.stdin.read())"
    assert read_output(python(code), cwd=tmp_path, env={"ADDED": "added"}, stdin=b"in") == (
        f"{os.path.realpath(tmp_path)} kept added in"
    )


def test_without_input_there_is_nothing_to_read():
    assert read_output(python("import sys; print(repr(sys.stdin.read()))")) == "''"


@pytest.mark.parametrize("stream", ["stderr", "stdout"])
def test_a_failure_names_the_command_the_code_the_last_lines_and_the_fix(stream):
    code = f"import sys; [print(f'line {{i}}', file=sys.{stream}) for i in range(12)]; sys.exit(7)"
    with pytest.raises(EnvironmentFault) as caught:
        read_output([*python(code), "one", "secret"], fix="Mend it.")
    message = str(caught.value)
    assert message.startswith(f"{os.path.basename(sys.executable)} -c ")  # noqa: PTH119 - a name, not a path
    assert "failed with exit code 7, line 4\nline 5\n" in message
    assert message.count("\n") == LINES_SHOWN - 1
    assert message.endswith("line 11. Mend it.")
    assert "secret" not in message


def test_git_without_an_identity_says_both_lines_that_give_it_one(monkeypatch):
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    nobody = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    with pytest.raises(EnvironmentFault) as caught:
        read_output(["git", "-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT"], env=nobody)
    assert re.findall(r"git config --global (\S+)", str(caught.value)) == ["user.email", "user.name"]


def test_a_failure_without_a_word_is_told_too():
    with pytest.raises(EnvironmentFault, match="exit code 1, no output"):
        read_output(python("raise SystemExit(1)"))


@pytest.mark.parametrize("call", [run_program, read_output])
def test_a_program_that_is_not_installed_and_a_folder_that_does_not_exist_are_named(tmp_path, call):
    with pytest.raises(EnvironmentFault, match=r"no-such-program a: .*Install no-such-program"):
        call(["no-such-program", "a"])
    with pytest.raises(EnvironmentFault, match=r"absent(?!.*Install)"):
        call(python("pass"), cwd=tmp_path / "absent")
