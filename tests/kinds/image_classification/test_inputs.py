from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.kinds.image_classification.inputs import require_one_size


def test_images_of_several_sizes_are_refused_even_if_they_have_as_many_bytes():
    pixels = np.zeros((2, 3, 4, 2), np.uint8)
    require_one_size(pixels, (4, 2), Path("encoder"))
    with pytest.raises(EnvironmentFault, match=r"encoder: .*\(2, 4\).*\(4, 2\)"):
        require_one_size(pixels, (2, 4), Path("encoder"))
