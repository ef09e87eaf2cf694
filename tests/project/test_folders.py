"""Splits told by the names of files."""

import pytest

from pipeline.core.errors import UsageError
from pipeline.project.folders import choose_data, group_files, list_data


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["d/test-00000-of-00001.parquet", "d/train-00000-of-00002.parquet", "d/train-00001-of-00002.parquet"],
         {"train": ["d/train-*.parquet"], "test": ["d/test-*.parquet"]}),
        (["dev.csv", "test.csv", "train.csv"],
         {"train": ["train.csv"], "validation": ["dev.csv"], "test": ["test.csv"]}),
        (["train.csv", "valid.csv"], {"train": ["train.csv"], "test": ["valid.csv"]}),
        (["plain/train/0.parquet", "plain/test/0.parquet"],
         {"train": ["plain/train/0.parquet"], "test": ["plain/test/0.parquet"]}),
        (["train-00000-of-00001.parquet"], ["train-*.parquet"]),
        (["more.csv", "test.csv", "train.csv"], ["more.csv", "test.csv", "train.csv"]),
        (["training-testing.csv", "train.csv"], ["training-testing.csv", "train.csv"]),
        (["contest.csv", "trained.csv"], ["contest.csv", "trained.csv"]),
    ],
)  # fmt: skip
def test_names_tell_splits(names, files):
    assert group_files(names) == files


def test_data_are_of_one_kind_and_not_hidden():
    names = ["README.md", "dataset_infos.json", ".cache/x.parquet", "b.parquet", "a.parquet"]
    assert choose_data(names) == ["b.parquet", "a.parquet"]
    assert choose_data(["a.CSV", "b.csv.gz", "c.txt"]) == ["a.CSV", "b.csv.gz"]


def test_a_folder_without_data(tmp_path):
    (tmp_path / "README.md").write_text("# nothing")
    with pytest.raises(UsageError, match="no file of data"):
        list_data(tmp_path)
