"""The columns of examples, as the checks expect them."""

from collections.abc import Mapping

from pipeline.settings.shared.texts import PAIR, PairChecksParams

# The columns of labelled texts, in order, with their types; those kept from the file follow, as strings.
EXAMPLE_COLUMNS = {"id": "string", "split": "string", "text": "string", "label": "int64", "row": "int64"}


def name_columns(params: PairChecksParams, own: Mapping[str, str] = EXAMPLE_COLUMNS) -> Mapping[str, str]:
    """Return the columns of examples in order, with their types: `own`, and of pairs the second text after the text."""
    columns = [*own.items()]
    return dict([*columns[:3], (PAIR, "string"), *columns[3:]] if params.pairs else columns)
