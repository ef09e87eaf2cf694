"""The confusion matrix as SVG; colours come from the page's style sheet."""

from collections.abc import Sequence

from markupsafe import Markup

from pipeline.core.format import count, plural, share, shorten
from pipeline.report.charts.svg import drawing, element, text, text_width

SIDE = 264.0  # of the whole matrix, while its cells stay between the two sizes below
SMALLEST, LARGEST = 14.0, 92.0
TURN = 0.71  # sine of the 45 degrees by which long names are turned
WORDS = 12  # classes the description names


def confusion(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> Markup:
    """Return the matrix, rows actual and columns predicted; the stronger a cell, the larger its share of the row.

    Cells show their rows and their share as far as there is room; cells without rows are empty.
    """
    names = [shorten(label, 18) for label in labels]
    size = max(SMALLEST, min(LARGEST, SIDE / max(len(names), 1)))
    widest = max(map(text_width, names), default=0.0)
    turned = widest > size - 4
    left, top = widest + 28, (TURN * widest + 30) if turned else 40.0
    side = size * len(names)
    middles = [(index + 0.5) * size for index in range(len(names))]
    return drawing(
        left + side + (TURN * widest if turned else 0) + 6,
        top + side + 6,
        text(left + side / 2, 13, "predicted", kind="axis", anchor="middle"),
        text(13, top + side / 2, "actual", kind="axis", anchor="middle", turn=-90),
        *(text(left - 7, top + middle + 4, name, anchor="end") for middle, name in zip(middles, names, strict=True)),
        *(_head(left + middle, top - 7, name, turned) for middle, name in zip(middles, names, strict=True)),
        element("rect", x=left, y=top, width=side, height=side, class_="frame"),
        *(
            _cell(left + column * size, top + row * size, size, rows, part=rows / sum(line), hit=row == column)
            for row, line in enumerate(matrix)
            for column, rows in enumerate(line)
            if rows
        ),
        title="Confusion matrix",
        description=_words(labels, matrix),
    )


def _head(x: float, y: float, name: str, turned: bool) -> Markup:
    return text(x + 4, y, name, turn=-45) if turned else text(x, y, name, anchor="middle")


def _cell(x: float, y: float, size: float, rows: int, *, part: float, hit: bool) -> Markup:
    # The root keeps small shares, which errors mostly are, from being invisible.
    strength = max(part, 0.01) ** 0.5
    box = element(
        "rect",
        x=x + 1,
        y=y + 1,
        width=size - 2,
        height=size - 2,
        class_="hit" if hit else "miss",
        fill_opacity=strength,
    )
    middle = x + size / 2
    if size < 24:
        return box
    if size < 40:
        return box + text(middle, y + size / 2 + 4, count(rows), kind="cell small", anchor="middle")
    shown = text(middle, y + size / 2, count(rows), kind="cell", anchor="middle")
    return box + shown + text(middle, y + size / 2 + 14, share(part), kind="cell small", anchor="middle")


def _words(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    hits = [
        f"{label}: {count(row[index])} of {count(sum(row))}"
        for index, (label, row) in enumerate(zip(labels, matrix, strict=True))
    ]
    rest = len(hits) - WORDS
    more = f"; and {plural(rest, 'more class', 'more classes')}" if rest > 0 else ""
    return f"Test examples predicted right, by actual class. {'; '.join(hits[:WORDS])}{more}."
