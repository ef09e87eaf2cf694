"""Transferline: labelled text in, a fine-tuned, evaluated, versioned transformer out."""

import os
from pathlib import Path

# Threads that wait for each other sleep and do not spin: on a busy machine spinning takes the core from the thread that
# is waited for. OpenMP reads this when it is loaded, so it is set before torch is imported. See docs/decisions/0026.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# numpy and scipy multiply by kernels that OpenBLAS picks by the processor, or by a variable that some machines have;
# they add in different orders. These run wherever AVX2 does: a baseline has the same bits. See docs/decisions/0027.
CPU = Path("/proc/cpuinfo")
if CPU.is_file() and "avx2" in CPU.read_text(encoding="utf-8", errors="replace").split():
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
