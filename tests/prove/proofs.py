"""All proofs."""

from __future__ import annotations

from . import (
    arbiter,
    change_list,
    change_queue,
    crossbar,
    decoder,
    encoder,
    executor,
    lane_walker,
    line,
    order,
    receive_buffer,
    stream_register,
    uart,
)
from .proof import Proof

__all__ = ["PROOFS"]

PROOFS: tuple[Proof, ...] = (
    *stream_register.PROOFS,
    *arbiter.PROOFS,
    *lane_walker.PROOFS,
    *change_queue.PROOFS,
    *change_list.PROOFS,
    *crossbar.PROOFS,
    *receive_buffer.PROOFS,
    *decoder.PROOFS,
    *order.PROOFS,
    *executor.PROOFS,
    *encoder.PROOFS,
    *line.PROOFS,
    *uart.PROOFS,
)
