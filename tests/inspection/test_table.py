import pyarrow as pa

from pipeline.core.tables import describe
from pipeline.inspection.suspects import Suspect
from pipeline.inspection.table import format_table, tabulate_suspects
from pipeline.settings.corrections import parse_corrections

EXAMPLES = describe(
    pa.table(
        {"id": ["0a", "0b"], "split": ["train", "test"], "text": ["=x", "y"], "label": [0, 1], "row": [2, 3]},
    ),
    task="t",
    labels=("neg", "pos"),
)
SUSPECTS = [Suspect(1, ("duplicate",), 0.25, 0, (0,))]


def test_a_suspect_and_its_rivals_are_named_by_their_places() -> None:
    (alone,) = tabulate_suspects(SUSPECTS, EXAMPLES)
    assert (alone["line"], alone["rivals"], alone["suggested"]) == (3, [2], "neg")
    (several,) = tabulate_suspects(SUSPECTS, EXAMPLES.append_column("file", pa.array(["a.csv", "b.csv"])))
    assert (several["line"], several["rivals"]) == ("b.csv:3", ["a.csv:2"])
    assert format_table([several]).splitlines()[1] == "b.csv:3,0b,test,pos,neg,0.25,duplicate,a.csv:2,y,"


def test_a_long_text_leaves_a_table_that_is_read_back() -> None:
    (suspect,) = tabulate_suspects(SUSPECTS, EXAMPLES)
    table = format_table([{**suspect, "id": "0" * 16, "text": "long " * 40_000}])
    edited = table.removeprefix("\ufeff").removesuffix("\n") + "neg\n"
    assert len(edited) < 11_000
    assert parse_corrections(edited, file="c.csv")["0" * 16].correction == "neg"


def test_without_suspects_the_table_is_its_header() -> None:
    assert tabulate_suspects([], EXAMPLES) == []
    assert len(format_table([]).splitlines()) == 1


def test_of_many_rivals_the_first_are_named() -> None:
    (suspect,) = tabulate_suspects([Suspect(1, ("duplicate",), 0.25, 0, (0,) * 5000)], EXAMPLES)
    assert suspect["rivals"] == [2] * 20
