"""The confusion matrix as SVG; the page's style sheet gives its colours."""

from collections.abc import Sequence

from markupsafe import Markup

from pipeline.core.format import count, plural, share, shorten
from pipeline.report.charts.svg import element, image, label, text_width

SIDE = 264.0  # of the whole matrix, unless its cells would leave the range below
SMALLEST_CELL, LARGEST_CELL = 14.0, 92.0
SINE_45 = 0.71  # long class names are turned by 45 degrees
NAMED_CLASSES = 12  # that the description lists


def draw_confusion(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> Markup:
    """Return the matrix, rows actual and columns predicted; the stronger a cell, the larger its share of the row.

    Cells show their count and their share if there is room; cells without rows are empty.
    """
    names = [shorten(name, 18) for name in labels]
    size = max(SMALLEST_CELL, min(LARGEST_CELL, SIDE / max(len(names), 1)))
    widest = max(map(text_width, names), default=0.0)
    turned = widest > size - 4
    left, top = widest + 28, (SINE_45 * widest + 30) if turned else 40.0
    side = size * len(names)
    middles = [(index + 0.5) * size for index in range(len(names))]
    return image(
        left + side + (SINE_45 * widest if turned else 0) + 6,
        top + side + 6,
        label(left + side / 2, 13, "predicted", kind="axis", anchor="middle"),
        label(13, top + side / 2, "actual", kind="axis", anchor="middle", turn=-90),
        *(label(left - 7, top + middle + 4, name, anchor="end") for middle, name in zip(middles, names, strict=True)),
        *(_draw_head(left + middle, top - 7, name, turned) for middle, name in zip(middles, names, strict=True)),
        element("rect", x=left, y=top, width=side, height=side, class_="frame"),
        *(
            _draw_cell(left + column * size, top + row * size, size, rows, part=rows / sum(counts), hit=row == column)
            for row, counts in enumerate(matrix)
            for column, rows in enumerate(counts)
            if rows
        ),
        title="Confusion matrix",
        description=_describe(labels, matrix),
    )


def _draw_head(x: float, y: float, name: str, turned: bool) -> Markup:
    return label(x + 4, y, name, turn=-45) if turned else label(x, y, name, anchor="middle")


def _draw_cell(x: float, y: float, size: float, rows: int, *, part: float, hit: bool) -> Markup:
    # The square root keeps small shares visible, which most errors are.
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
        return box + label(middle, y + size / 2 + 4, count(rows), kind="cell small", anchor="middle")
    number = label(middle, y + size / 2, count(rows), kind="cell", anchor="middle")
    return box + number + label(middle, y + size / 2 + 14, share(part), kind="cell small", anchor="middle")


def _describe(labels: Sequence[str], matrix: Sequence[Sequence[int]]) -> str:
    hits = [
        f"{name}: {count(row[index])} of {count(sum(row))}"
        for index, (name, row) in enumerate(zip(labels, matrix, strict=True))
    ]
    rest = len(hits) - NAMED_CLASSES
    more = f"; and {plural(rest, 'more class', 'more classes')}" if rest > 0 else ""
    return f"Correct predictions by actual class. {'; '.join(hits[:NAMED_CLASSES])}{more}."
