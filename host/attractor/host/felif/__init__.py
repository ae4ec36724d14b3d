"""What a device of the felif family does."""

from attractor.host.felif.calls import FelifCalls, Frames, joined_results

__all__ = [
    "FelifCalls",
    "Frames",
    "joined_results",
]
