import io
import sys

from pipeline.core.progress import Progress, show_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_plain_lines_come_now_and_then(capsys, monkeypatch):
    clock = iter((0.0, 20.0, 80.0))
    monkeypatch.setattr("pipeline.core.progress.time.monotonic", lambda: next(clock))
    with Progress(40, between=0.0) as progress:
        progress.report(10, 0.5, 0.75)
        progress.say("validation loss 0.5")
        progress.report(40, 2.0, 0.25)
    out, err = capsys.readouterr()
    first, said, last = out.splitlines()
    assert first == "step 10/40, epoch 0.50: loss 0.7500, 0:01:00 left"
    assert said == "validation loss 0.5"
    assert last == "step 40/40, epoch 2.00: loss 0.2500, 0:00:00 left"
    assert err == ""


def test_the_time_left_of_a_resumed_training_is_that_of_its_own_steps(capsys, monkeypatch):
    clock = iter((0.0, 5.0))
    monkeypatch.setattr("pipeline.core.progress.time.monotonic", lambda: next(clock))
    with Progress(1000, done=500, between=0.0) as progress:
        progress.report(505, 0.5, 0.75)
    assert capsys.readouterr().out.endswith(", 0:08:15 left\n")


def test_the_bar_of_a_resumed_training_begins_where_it_was(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(40, done=30):
        pass
    assert "30/40" in terminal.getvalue()


def test_lines_keep_their_distance(capsys):
    with Progress(40, between=3600.0) as progress:
        for step in range(1, 41):
            progress.report(step, 0.1, 0.5)
    assert capsys.readouterr().out == ""


def test_on_a_terminal_there_is_a_bar_and_lines_stay_above_it(capsys, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(40, between=0.0) as progress:
        progress.report(10, 0.5, 0.75)
        progress.say("validation loss 0.5")
        progress.report(40, 2.0, 0.25)
    assert "40/40" in terminal.getvalue()
    assert "loss=0.2500" in terminal.getvalue()
    assert capsys.readouterr().out == "validation loss 0.5\n"


def test_counting_tells_how_much_is_left(capsys):
    with show_progress(4, "example", between=0.0) as done:
        done(1)
        done(3)
    assert [line.partition(",")[0] for line in capsys.readouterr().out.splitlines()] == ["1/4 examples", "4/4 examples"]
