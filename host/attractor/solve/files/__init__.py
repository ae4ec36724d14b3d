"""Files that hold problems: a module for each family of formats, and one that tells them apart.

================================================  =====================================================================
:mod:`attractor.solve.files.recognise`            what a file is, and what it can be taken as
:mod:`attractor.solve.files.edges`                graphs of rudy and the G-set, tables of coefficients, COOrdinate text
:mod:`attractor.solve.files.dimacs`               graphs of DIMACS, QUBO problems of qbsolv
:mod:`attractor.solve.files.formulas`             formulas of DIMACS, plain and weighted
:mod:`attractor.solve.files.beasley`              QUBO problems of the OR-Library
:mod:`attractor.solve.files.matrices`             Matrix Market
:mod:`attractor.solve.files.tours`                TSPLIB
:mod:`attractor.solve.files.models`               dimod's binary quadratic models
:mod:`attractor.solve.files.constrained`          linear programs, dimod's other models
:mod:`attractor.solve.files.worded`               problems that have words of their own for their answers
:mod:`attractor.solve.files.solution`             solutions
================================================  =====================================================================

Their public names are those of :mod:`attractor.solve.problem_files`.
"""
