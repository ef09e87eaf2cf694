"""The reproduction of one ordered stage, `python -m pipeline.run.places.reproduction` in a clone.

A process of its own, so that it runs the code of the commit and ends with all it started when its worker ends.
"""

import sys

from pipeline.core.errors import PipelineError
from pipeline.core.files import publish, write_json
from pipeline.repository.delegation.delegate import lay_order, reproduce_order, ship_delivery
from pipeline.repository.delegation.order import DELIVERY_FILE, FAULT_FILE, ORDER_FILE, StageOrder


def fulfil_order() -> int:
    """Reproduce the stage of the order file and write the file of its delivery; return the exit code.

    If the failure is not the stage's own, the fault file has its exit code and message.
    """
    try:
        order = StageOrder.decode(ORDER_FILE.read_bytes())
        lay_order(order)
        code, seconds = reproduce_order(order)
        if code == 0:
            with publish(DELIVERY_FILE) as partial:
                partial.write_bytes(ship_delivery(order, seconds).encode())
    except PipelineError as error:
        write_json(FAULT_FILE, {"code": error.exit_code, "why": str(error)})
        return error.exit_code
    return code


if __name__ == "__main__":
    sys.exit(fulfil_order())
