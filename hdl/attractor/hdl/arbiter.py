"""Who is heard where several streams share one sink."""

from amaranth.hdl import Assert, Cat, Module, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StreamArbiter"]


class StreamArbiter(wiring.Component):
    """Passes on one of several streams whose requests exclude each other; combinational.

    The sources of an arbiter take turns by design: no two of them request (are ``valid``) in one cycle. So nobody ever
    waits for another one, nothing has to be remembered, and an offer that stands is never replaced. In simulation two
    requests in one cycle end the run.

    Of several requests the first by position would be passed on. Where none is made, the last source is shown, so that
    its payload needs no gate of its own.

    Parameters
    ----------
    shape:
        Shape of the payload.
    inputs:
        Number of sources, at least 1.

    Members
    -------
    i: ``In(stream of shape)``, ``inputs`` times
    o: ``Out(stream of shape)``

    Raises
    ------
    ValueError
        If there are no inputs.
    """

    i: list[stream.Interface]
    o: stream.Interface

    def __init__(self, shape: ShapeLike, inputs: int) -> None:
        if inputs < 1:
            raise ValueError(f"an arbiter of {inputs} streams: there must be at least 1")
        self.inputs = inputs
        super().__init__({"i": In(stream.Signature(shape)).array(inputs), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        requests = Signal(self.inputs)
        m.d.comb += requests.eq(Cat(source.valid for source in self.i))
        m.d.sync += Assert((requests & (requests - 1)) == 0, "two requests at an arbiter in one cycle")
        *first, last = self.i
        with m.Switch(requests):
            for index, source in enumerate(first):
                with m.Case("1".ljust(index + 1, "-").rjust(self.inputs, "-")):
                    self._pass_on(m, source)
            with m.Default():
                self._pass_on(m, last)
        return m

    def _pass_on(self, m: Module, source: stream.Interface) -> None:
        m.d.comb += [
            self.o.valid.eq(source.valid),
            self.o.payload.eq(source.payload),
            source.ready.eq(self.o.ready),
        ]
