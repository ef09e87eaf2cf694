"""The question that `init` asks on a terminal if the data leave something open."""

from collections.abc import Sequence

from pipeline.core.errors import UsageError
from pipeline.core.format import visible


def ask_terminal(question: str, answers: Sequence[str]) -> str:
    """Return the answer that is typed, by its number or in full; anything else asks again.

    Raises:
        UsageError: The input ends.
    """
    numbers = {str(number): answer for number, answer in enumerate(answers, start=1)}
    print(question, *(f"  {number} {visible(answer)}" for number, answer in numbers.items()), sep="\n")
    while True:
        try:
            typed = input("> ").strip()
        except EOFError as error:
            raise UsageError("no answer. Run again, and type a number.") from error
        if typed in answers or typed in numbers:
            return typed if typed in answers else numbers[typed]
