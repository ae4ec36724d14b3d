"""Records as Amaranth layouts."""

from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data

from attractor.spec import Record

__all__ = ["record_layout"]


def record_layout(record: Record) -> data.StructLayout:
    """Return the layout of a record: a member for each field, an array where it has several values."""
    members: dict[str, ShapeLike] = {}
    for field in record:
        shape = Shape(field.bits, signed=field.signed)
        members[field.name] = shape if field.count is None else data.ArrayLayout(shape, field.count)
    return data.StructLayout(members)
