"""Transferline: labelled text in, a fine-tuned, evaluated, versioned transformer out."""

import os

# Threads that wait for each other sleep and do not spin: on a busy machine spinning takes the core from the thread that
# is waited for. OpenMP reads this when it is loaded, so it is set before torch is imported. See docs/decisions/0026.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
