"""Who is heard where several streams share one sink, and where one stream has several."""

from amaranth.hdl import Assert, Cat, Module, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StreamArbiter", "StreamSwitch"]


class StreamArbiter(wiring.Component):
    """Passes on one of several streams whose requests exclude each other; combinational.

    The sources of an arbiter take turns by design: no two of them request (are ``valid``) in one cycle. So nobody ever
    waits for another one, nothing has to be remembered, and an offer that stands is never replaced. In simulation two
    requests in one cycle end the run.

    By position, the first that requests is passed on. With ``selected``, the source that ``select`` names is: worth it
    where ``select`` is a register, since it keeps the requests off the path of the payload.

    Parameters
    ----------
    shape:
        Shape of the payload.
    inputs:
        Number of sources, at least 1.
    selected:
        The source is named by ``select`` instead of being the first that requests.

    Members
    -------
    i: ``In(stream of shape)``, ``inputs`` times
    o: ``Out(stream of shape)``
    select: ``In(range(inputs))``
        Whom to pass on; only with ``selected``. The others wait.

    Raises
    ------
    ValueError
        If there are no inputs.
    """

    i: list[stream.Interface]
    o: stream.Interface
    select: Signal

    def __init__(self, shape: ShapeLike, inputs: int, *, selected: bool = False) -> None:
        if inputs < 1:
            raise ValueError(f"an arbiter of {inputs} streams: there must be at least 1")
        self.inputs, self.selected = inputs, selected
        members = {"i": In(stream.Signature(shape)).array(inputs), "o": Out(stream.Signature(shape))}
        super().__init__(members | ({"select": In(range(inputs))} if selected else {}))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        requests = Signal(self.inputs)
        m.d.comb += requests.eq(Cat(source.valid for source in self.i))
        m.d.sync += Assert((requests & (requests - 1)) == 0, "two requests at an arbiter in one cycle")
        if self.selected:
            with m.Switch(self.select):
                for index, source in enumerate(self.i):
                    with m.Case(index):
                        self._pass_on(m, source)
            return m
        *first, last = self.i
        with m.Switch(requests):
            for index, source in enumerate(first):
                with m.Case("1".ljust(index + 1, "-").rjust(self.inputs, "-")):
                    self._pass_on(m, source)
            # The last one is passed on where nobody requests, too: its payload needs no gate of its own.
            with m.Default():
                self._pass_on(m, last)
        return m

    def _pass_on(self, m: Module, source: stream.Interface) -> None:
        m.d.comb += [
            self.o.valid.eq(source.valid),
            self.o.payload.eq(source.payload),
            source.ready.eq(self.o.ready),
        ]


class StreamSwitch(wiring.Component):
    """Passes a stream on to one of several sinks, the one that ``select`` names; combinational.

    An offer that was not taken has to stay with its sink: in simulation a ``select`` that changes meanwhile ends the
    run.

    Parameters
    ----------
    shape:
        Shape of the payload.
    outputs:
        Number of sinks, at least 1.

    Members
    -------
    i: ``In(stream of shape)``
    o: ``Out(stream of shape)``, ``outputs`` times
        All show the payload; only the one that is named is valid.
    select: ``In(range(outputs))``

    Raises
    ------
    ValueError
        If there are no outputs.
    """

    i: stream.Interface
    o: list[stream.Interface]
    select: Signal

    def __init__(self, shape: ShapeLike, outputs: int) -> None:
        if outputs < 1:
            raise ValueError(f"a switch to {outputs} streams: there must be at least 1")
        self.outputs = outputs
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)).array(outputs),
                "select": In(range(outputs)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        offered, before = Signal(), Signal.like(self.select)
        m.d.sync += [
            offered.eq(self.i.valid & ~self.i.ready),
            before.eq(self.select),
            Assert(~offered | (self.select == before), "a switch was changed under an offer"),
        ]
        for index, sink in enumerate(self.o):
            m.d.comb += sink.payload.eq(self.i.payload)
            with m.If(self.select == index):
                m.d.comb += [sink.valid.eq(self.i.valid), self.i.ready.eq(sink.ready)]
        return m
