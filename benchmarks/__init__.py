"""Programs that measure side by side, within one run; each prints a table, then one JSON object as its last line."""

# Before an arm imports torch: in all arms threads wait as they do in a stage (docs/decisions/0026-waiting-threads.md).
import pipeline  # noqa: F401
