"""Transferline: labelled text in, a fine-tuned, evaluated, versioned transformer out."""

import os
from pathlib import Path

# Threads that wait for each other sleep and do not spin: on a busy machine spinning takes the core from the thread that
# is waited for. OpenMP reads this when it is loaded, so it is set before torch is imported. See docs/decisions/0026.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# numpy and scipy multiply on as many threads and by such kernels as OpenBLAS picks by the processor, or by what a shell
# has set; each adds in another order. One thread, and kernels that run wherever AVX2 does, give a baseline the same
# bits. See docs/decisions/0027.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
CPU = Path("/proc/cpuinfo")
CPU_WORDS = frozenset(CPU.read_text(encoding="utf-8", errors="replace").split() if CPU.is_file() else ())
if "avx2" in CPU_WORDS:
    os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
