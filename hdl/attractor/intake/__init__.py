"""The one way in: every file and everything that a device says passes through here before anything else sees it.

What comes from outside may be damaged, or made to do damage. Each reader here has a limit in bytes before it reads or
unpacks anything, compares what is claimed with what is there before it makes room for it, runs no code of what it
reads, and ends in an :class:`IntakeError` that says what is wrong, where, and what to do next:

=======================================  ===============================================================================
:mod:`attractor.intake.errors`           the error, and :func:`refusing`, which gives damage its name
:mod:`attractor.intake.files`            bytes of files, and of what zlib and gzip pack
:mod:`attractor.intake.text`             UTF-8, and text that is safe to print
:mod:`attractor.intake.documents`        JSON: depth, number of values and digits are counted before it is parsed
:mod:`attractor.intake.arrays`           NumPy's ``.npy`` and ``.npz``
:mod:`attractor.intake.archives`         zip archives; no member's name leaves its folder
:mod:`attractor.intake.tensors`          safetensors
:mod:`attractor.intake.child`            a child process for a library that damaged files break
:mod:`attractor.intake.hdf5`             HDF5, in a child process with limits on time and memory
=======================================  ===============================================================================

What a file *means* is checked by its reader: :mod:`attractor.spec.files`, :mod:`attractor.host.model`,
:mod:`attractor.solve.problem_files`, :mod:`attractor.nir.files`, :mod:`attractor.gateware.bundle`,
:mod:`attractor.train.checkpoints`, :mod:`attractor.data`. What a device says is checked by
:mod:`attractor.host.meeting` and :mod:`attractor.host.reports`.

Files that this project writes for itself and nobody else hands over (caches of builds and simulators, reports of tools
that it has just run, its own sources) are read where they are needed.
"""

from attractor.intake.errors import IntakeError, refusing

__all__ = ["IntakeError", "refusing"]
