"""Asking the processor for what will be read soon, so that nobody waits for memory then.

A slot of a large table, or a state, is a hundred nanoseconds away; while it comes, the next ones
can be asked for.  A fetch changes nothing, and cannot fail wherever it points.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_BYTES, _INT = ir.IntType(8).as_pointer(), ir.IntType(32)
_SHAPE = ir.FunctionType(ir.VoidType(), [_BYTES, _INT, _INT, _INT])
_HOW = _INT(0), _INT(3), _INT(1)  #: to be read, and more than once; it is data


def _fetch(typing: Any, array: Any, row: Any) -> Any:
    """Fetch the beginning of a row of an array."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, given[0])
        number = context.cast(builder, given[1], signature.args[1], types.intp)
        start = builder.bitcast(held.data, _BYTES)
        apart = builder.extract_value(held.strides, 0)
        place = builder.gep(start, [builder.mul(number, apart)])
        called = builder.module.declare_intrinsic("llvm.prefetch", [_BYTES], _SHAPE)
        builder.call(called, [place, *_HOW])
        return context.get_dummy_value()

    return types.void(array, row), generate


_made: Any = intrinsic
fetch: Any = _made(_fetch)
