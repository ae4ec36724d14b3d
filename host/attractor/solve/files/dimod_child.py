"""The child that reads linear programs and dimod's larger models: a program of its own, started by file name.

dimod's readers of these trust what they read: on a damaged file they write beyond memory, or do not come back. So no
process that matters calls them. This one says ``ready`` on standard output, and then answers requests. A request is a
line of JSON, ``{"kind": "lp" | "cqm" | "qm", "bytes": N, "variables": MOST}``, and N bytes; an answer is eight bytes of
length, little-endian, and JSON: ``{"error": text}``, or ``variables`` (label, type, least and greatest value),
``objective`` and ``constraints`` (label, left side, sense, right side, weight). ``objective`` and left sides are
``[linear, quadratic, offset]`` with variables by their index.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from attractor.intake.child import limit_memory

#: Bytes of address space beyond those of a fresh child.
MEMORY_BYTES = 1 << 30


def main() -> None:
    """Answer requests until standard input ends."""
    import dimod
    import dimod.lp

    limit_memory(MEMORY_BYTES)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    answers.write(b"ready\n")
    answers.flush()
    for line in requests:
        request = json.loads(line)
        try:
            answer = _answer(dimod, request, requests.read(request["bytes"]))
        except Exception as error:  # the library meets damage with whatever error the damage leads to
            answer = {"error": f"{error}" or type(error).__name__}
        data = json.dumps(answer).encode()
        answers.write(len(data).to_bytes(8, "little") + data)
        answers.flush()


def _answer(dimod: Any, request: dict[str, Any], data: bytes) -> dict[str, Any]:
    if request["kind"] == "lp":
        model = dimod.lp.loads(data)
    elif request["kind"] == "cqm":
        model = dimod.ConstrainedQuadraticModel.from_file(data)
    else:
        model = dimod.QuadraticModel.from_file(data)
    if len(model.variables) > request["variables"]:
        raise ValueError(f"it has {len(model.variables):,} variables; it may have {request['variables']:,}")
    index = {label: place for place, label in enumerate(model.variables)}
    variables = [[_label(label), *_kind(model, label)] for label in model.variables]
    constraints = []
    for label, comparison in getattr(model, "constraints", {}).items():
        weight = comparison.lhs.weight() if comparison.lhs.is_soft() else None
        side = _expression(comparison.lhs, index)
        constraints.append([_label(label), side, comparison.sense.value, float(comparison.rhs), weight])
    objective = _expression(getattr(model, "objective", model), index)
    return {"variables": variables, "objective": objective, "constraints": constraints}


def _kind(model: Any, label: Any) -> list[Any]:
    return [model.vartype(label).name, float(model.lower_bound(label)), float(model.upper_bound(label))]


def _label(label: Any) -> Any:
    return list(map(_label, label)) if isinstance(label, tuple) else label


def _expression(expression: Any, index: dict[Any, int]) -> list[Any]:
    linear = [[index[v], float(bias)] for v, bias in expression.iter_linear()]
    quadratic = [[index[u], index[v], float(bias)] for u, v, bias in expression.iter_quadratic()]
    return [linear, quadratic, float(expression.offset)]


if __name__ == "__main__":
    main()
