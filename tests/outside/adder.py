"""A family outside the project, in one module: a network that adds a number to its input, and learns that number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, connect, flipped

from attractor.hdl.core import CoreSignature
from attractor.hdl.windows import RecordReadout, WindowRegister
from attractor.spec import Family, Field, MemoryMap, ParameterSpec, Record, Region, Spec, Window
from attractor.spec.base import check_range
from attractor.spec.memory_map import record_window
from attractor.spec.records import unused

RESULT = Record((Field("sum", 16, signed=True), Field("learnt", 1), unused(7), Field("cycles", 32)))


@dataclass(frozen=True, kw_only=True)
class AdderSpec(Spec):
    """A network of numbers of ``bits`` bits."""

    family: ClassVar[str] = "adder"

    bits: int = 7

    def __post_init__(self) -> None:
        check_range("bits", self.bits, 2, 8)

    @property
    def offset_record(self) -> Record:
        return Record((Field("offset", self.bits, signed=True),))

    @property
    def call_record(self) -> Record:
        return Record((Field("learn", 1), unused(2), Field("value", self.bits, signed=True)))

    @property
    def parameters(self) -> dict[str, ParameterSpec]:
        return {"offset": ParameterSpec("offset", (1,), np.dtype(np.int16), *self.offset_record["offset"].range)}

    @property
    def memory_map(self) -> MemoryMap:
        offset, call = self.offset_record, self.call_record
        return MemoryMap(
            (
                Window("offset", Region.PARAMETERS, 1, offset.bits, offset),
                Window("call", Region.INPUT, 1, call.bits, call),
                record_window("result", Region.OUTPUT, RESULT),
            )
        )

    def encode_parameters(self, parameters: Mapping[str, Any]) -> dict[str, bytes]:
        return {"offset": self.offset_record.encode_words(self.check_parameters(parameters), 1).tobytes()}

    def decode_parameters(self, windows: Mapping[str, bytes]) -> dict[str, Any]:
        return self.offset_record.decode_words(windows["offset"], 1)


class AdderNetwork:
    """Golden model."""

    def __init__(self, spec: AdderSpec, parameters: Mapping[str, Any]) -> None:
        self.spec, self.parameters = spec, spec.check_parameters(parameters)

    def call(self, input_bytes: bytes) -> bytes:
        given = self.spec.decode_input(input_bytes)["call"]
        value, learn = given["value"], given["learn"]
        total = value + int(self.parameters["offset"][0])
        if learn:
            self.parameters["offset"] = np.array([value], np.int16)
        return self.spec.encode_output({"result": {"sum": total, "learnt": learn, "cycles": 0}})


class AdderCore(wiring.Component):
    """Adds in one cycle; the slips are added to each sum and to what is learnt, for tests that want them wrong."""

    bus: Any
    sum_slip: ClassVar[int] = 0
    learning_slip: ClassVar[int] = 0

    def __init__(self, spec: AdderSpec) -> None:
        self.spec = spec
        super().__init__({"bus": In(CoreSignature(spec))})

    def elaborate(self, platform: object) -> Module:  # noqa: ARG002
        m = Module()
        windows, memory_map = self.bus.windows, self.spec.memory_map
        m.submodules.call = call = WindowRegister(memory_map["call"])
        m.submodules.result = result = RecordReadout(memory_map["result"])
        connect(m, flipped(windows.call), call.window)
        connect(m, flipped(windows.result), result.window)
        offset = Signal(signed(self.spec.bits))
        m.d.comb += windows.offset.read_data.eq(offset)
        with m.If(windows.offset.write):
            m.d.sync += offset.eq(windows.offset.write_data)
        values = Signal.like(result.values)
        m.d.comb += result.values.eq(values)
        with m.If(self.bus.busy):
            m.d.sync += [
                self.bus.busy.eq(0),
                values.sum.eq(call.value.value + offset + self.sum_slip),
                values.learnt.eq(call.value.learn),
                values.cycles.eq(1),
                offset.eq(Mux(call.value.learn, call.value.value + self.learning_slip, offset)),
            ]
        with m.Elif(self.bus.start):
            m.d.sync += self.bus.busy.eq(1)
        return m


FAMILY = Family(name="adder", spec=AdderSpec, golden="adder:AdderNetwork", core="adder:AdderCore")
