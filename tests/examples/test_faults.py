import pytest

from pipeline.core.errors import DataError
from pipeline.examples.faults import Faults, RowErrors, RowFault, overhear_faults


def test_a_fault_names_place_count_five_lines_and_distinct_values() -> None:
    fault = RowFault("f.csv", "with a fault", column="c")
    for line in range(3, 11):
        fault.add(line, "x" if line < 9 else "y")
    with pytest.raises(DataError) as caught:
        fault.check("Mend them.")
    assert str(caught.value) == (
        "f.csv:3: column 'c': 8 row(s) with a fault (line 3, 4, 5, 6, 7 and 3 more): 'x', 'y'. Mend them."
    )


def test_a_fault_without_column_and_values() -> None:
    fault = RowFault("f", "bad")
    fault.check("Mend.")
    fault.add(1)
    assert str(fault.error("Mend.")) == "f:1: 1 row(s) bad (line 1). Mend."


def test_a_fault_shows_five_values_and_holds_no_more() -> None:
    fault = RowFault("f", "bad")
    for line in range(1, 1001):
        fault.add(line, "x" * line)
    assert "'xxxxx' and more. " in str(fault.error("Mend."))
    assert "1000 row(s) bad (line 1, 2, 3, 4, 5 and 995 more)" in str(fault.error("Mend."))


def test_a_fault_may_name_one_of_several_files() -> None:
    fault = RowFault("folder", "bad")
    fault.add("a.csv:3")
    fault.add("b.csv:1")
    assert str(fault.error("Mend.")) == "folder:a.csv:3: 2 row(s) bad (line a.csv:3, b.csv:1). Mend."


def test_faults_of_rows_are_gathered_and_others_are_not() -> None:
    faults = Faults(["first"])
    with faults.gather():
        raise RowErrors("second", "third")
    with pytest.raises(DataError, match="decides"), faults.gather():
        raise DataError("decides")
    with pytest.raises(RowErrors) as caught:
        faults.check()
    assert caught.value.errors == ("first", "second", "third")
    assert str(caught.value).splitlines()[1:] == ["  first", "  second", "  third"]
    Faults().check()
    assert str(RowErrors("alone")) == "alone"


def test_faults_are_overheard_one_by_one_in_the_block_alone():
    heard = []
    fault = RowFault("f", "with a blank", column="c")
    fault.add(1, "a")
    with overhear_faults(lambda line, reason: heard.append((line, reason))):
        fault.add(2, "b")
        fault.add(3)
        unsure = RowFault("f", "perhaps", certain=False)
        unsure.add(4)
        with pytest.raises(DataError) as caught:
            unsure.check("Look.")
    assert not isinstance(caught.value, RowErrors)
    with pytest.raises(RowErrors):
        unsure.check("Look.")
    fault.add(5)
    assert heard == [(2, "column 'c': with a blank: 'b'"), (3, "column 'c': with a blank")]
    assert fault.count == 4
