"""OpenVINO without its telemetry.

By itself `import openvino` sends an event to Google Analytics, by its package openvino_telemetry, and writes an
identifier into the user's home. Where that package cannot be imported it does neither.
"""

import sys

_kept = sys.modules.get("openvino_telemetry")
if "openvino" not in sys.modules:
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # makes its import an ImportError
try:
    import openvino as ov
    from openvino import opset13 as op
finally:
    sys.modules.pop("openvino_telemetry", None)
    if _kept is not None:
        sys.modules["openvino_telemetry"] = _kept

__all__ = ["op", "ov"]
