from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from attractor.spec import Window

from .bench import Host, bench, exchange
from .dummy import NO_PARAMETERS, WIDE_WINDOWS, WINDOWS
from .requests import Requests


@settings(max_examples=4, deadline=None)
@given(
    windows=st.sampled_from([WINDOWS, WINDOWS, WIDE_WINDOWS, NO_PARAMETERS]),
    seed=st.integers(0, 2**32),
    stall=st.sampled_from([0.0, 0.5]),
)
def test_any_requests_are_answered_as_the_golden_model_does(
    windows: tuple[Window, ...], seed: int, stall: float
) -> None:
    golden, _ = bench(windows).golden()
    requests = Requests(golden, seed)
    rng = random.Random(seed)

    async def script(host: Host) -> None:
        host.stall = stall
        last = b""
        for _ in range(20):
            data = requests.any().encode()
            if last and rng.random() < 0.15:
                data = last
            elif rng.random() < 0.1:
                damaged = bytearray(data)
                damaged[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
                data = bytes(damaged) + b"\0"
            await exchange(host, golden, data)
            last = data

    bench(windows).run(script, seed)
