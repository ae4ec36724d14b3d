"""Spiking networks from and to NIR, the Neuromorphic Intermediate Representation; needs the extra ``nir``."""

from attractor.nir.exporting import Exported, to_nir
from attractor.nir.files import read_graph, write_graph
from attractor.nir.importing import Imported, from_nir
from attractor.nir.library import NirError
from attractor.nir.report import ConversionReport
from attractor.nir.rules import Rules

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
