"""Spiking networks from and to NIR, the Neuromorphic Intermediate Representation; needs the extra ``nir``."""

from attractor.host.nir.exporting import Exported, to_nir
from attractor.host.nir.files import read_graph, write_graph
from attractor.host.nir.importing import Imported, from_nir
from attractor.host.nir.library import NirError
from attractor.host.nir.report import ConversionReport
from attractor.host.nir.rules import Rules

__all__ = [
    "ConversionReport",
    "Exported",
    "Imported",
    "NirError",
    "Rules",
    "from_nir",
    "read_graph",
    "to_nir",
    "write_graph",
]
