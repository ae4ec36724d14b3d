"""What holds for all tests."""

from __future__ import annotations

import signal

# Shells start what runs in the background with Ctrl-C ignored, and children inherit that. Tests that interrupt mean it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
