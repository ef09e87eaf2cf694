"""The GPUs of this machine, without loading a library that computes on them."""

import os
import re
import shutil
import subprocess


def devices() -> tuple[str, ...]:
    """Return the numbers or names that CUDA_VISIBLE_DEVICES may have, one a GPU; what it allows now is all there is."""
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None:
        return tuple(part.strip() for part in allowed.split(",") if part.strip() not in ("", "-1"))
    command = shutil.which("nvidia-smi")
    if command is None:
        return ()
    told = subprocess.run([command, "-L"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return tuple(re.findall(r"^GPU (\d+):", told.stdout, flags=re.MULTILINE)) if told.returncode == 0 else ()
