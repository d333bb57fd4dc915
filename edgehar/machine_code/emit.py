"""Object code of a Numba kernel with an entry that any process can call. Imports Numba: only where code is missing.

The entry `eh_entry(i64 *block) -> i32` reads the arguments from the block (see `edgehar.machine_code.block`), calls the
kernel as Numba would and returns Numba's status, 0 for success. Functions of Numba's own runtime, which only its error
paths need, are defined to return 0: an error still ends in a status.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.core.compiler_lock import global_compiler_lock
from numba.np.arrayobj import populate_array

from edgehar.machine_code.block import ENTRY

INT = ir.IntType(64)
COUNTING = re.compile(r"^ +(?:tail )?call void @NRT_(?:inc|dec)ref\(.*\n", re.MULTILINE)
"""Calls that count references to an array's memory. The block's arrays are owned by the caller, so they do nothing."""
SCALARS = {"int64": types.int64, "float32": types.float32, "float64": types.float64, "bool": types.boolean}
ITEMS = SCALARS | {name: getattr(types, name) for name in ("int8", "uint8", "int16", "uint16", "int32", "uint64")}
_UNTYPED: tuple[Any, Any] = cgutils.pack_array, populate_array
RESHAPE = """
define i32 @numba_attempt_nocopy_reshape(i64 %nd, ptr %dims, ptr %strides, i64 %new_nd, ptr %new_dims,
                                         ptr %new_strides, i64 %item, i32 %fortran) {
entry:
  %c_order = icmp eq i32 %fortran, 0
  br i1 %c_order, label %check, label %refuse
check:
  %i = phi i64 [ %nd, %entry ], [ %before, %compare ]
  %expected = phi i64 [ %item, %entry ], [ %larger, %compare ]
  %unchecked = icmp sgt i64 %i, 0
  br i1 %unchecked, label %compare, label %fill
compare:
  %before = sub i64 %i, 1
  %stride_at = getelementptr i64, ptr %strides, i64 %before
  %stride = load i64, ptr %stride_at
  %dim_at = getelementptr i64, ptr %dims, i64 %before
  %dim = load i64, ptr %dim_at
  %larger = mul i64 %expected, %dim
  %whole = icmp eq i64 %stride, %expected
  br i1 %whole, label %check, label %refuse
fill:
  %k = phi i64 [ %new_nd, %check ], [ %last, %set ]
  %step = phi i64 [ %item, %check ], [ %wider, %set ]
  %unfilled = icmp sgt i64 %k, 0
  br i1 %unfilled, label %set, label %done
set:
  %last = sub i64 %k, 1
  %new_stride_at = getelementptr i64, ptr %new_strides, i64 %last
  store i64 %step, ptr %new_stride_at
  %new_dim_at = getelementptr i64, ptr %new_dims, i64 %last
  %new_dim = load i64, ptr %new_dim_at
  %wider = mul i64 %step, %new_dim
  br label %fill
done:
  ret i32 1
refuse:
  ret i32 0
}
"""
"""What Numba's own C function does for an array without holes in C order; any other is refused, as it may."""


@dataclass(frozen=True, slots=True)
class Emitted:
    """Object code and the symbols that the loading process must bring along."""

    code: bytes
    needs: tuple[str, ...]


def emit(dispatcher: Any, signature: tuple[str, ...]) -> Emitted:
    """Compile the kernel for a signature of `edgehar.machine_code.block.kind_of` words."""
    kinds = tuple(_numba_type(word) for word in signature)
    if kinds not in dispatcher.overloads:
        dispatcher.compile(kinds)
    kernel = dispatcher.overloads[kinds]
    library = _with_entry(dispatcher.targetctx, kernel)
    module = binding.parse_assembly(COUNTING.sub("", str(library._final_module)))  # noqa: SLF001 - Numba's own
    needs = _keep_entry(module)
    return Emitted(library.codegen._tm.emit_object(module), needs)  # noqa: SLF001


def _numba_type(word: str) -> Any:
    name, _, dimensions = word.partition(":")
    return types.Array(ITEMS[name], int(dimensions), "C") if dimensions else SCALARS[name]


def _with_entry(context: Any, kernel: Any) -> Any:
    """A library of the kernel and its entry, optimised together."""
    library = context.codegen().create_library(ENTRY)
    module = library.create_ir_module(ENTRY)
    entry = ir.Function(module, ir.FunctionType(ir.IntType(32), [INT.as_pointer()]), ENTRY)
    builder = ir.IRBuilder(entry.append_basic_block())
    word = iter(range(1 << 16))

    def load() -> Any:
        return builder.load(builder.gep(entry.args[0], [INT(next(word))]))

    arguments = [_argument(context, builder, kind, load) for kind in kernel.fndesc.argtypes]
    callee = context.declare_function(module, kernel.fndesc)
    status, _ = context.call_conv.call_function(
        builder, callee, kernel.fndesc.restype, kernel.fndesc.argtypes, arguments
    )
    builder.ret(status.code)
    with global_compiler_lock:
        library.add_ir_module(module)
        library.add_linking_library(kernel.library)
        library.finalize()
    return library


def _argument(context: Any, builder: Any, kind: Any, load: Any) -> Any:
    """One argument as Numba passes it on, from the block's next words."""
    if not isinstance(kind, types.Array):
        value = load()
        if kind == types.boolean:
            return builder.trunc(value, ir.IntType(1))
        if kind == types.float32:
            return builder.bitcast(builder.trunc(value, ir.IntType(32)), ir.FloatType())
        return builder.bitcast(value, ir.DoubleType()) if kind == types.float64 else value
    item = INT(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    array = context.make_array(kind)(context, builder)
    data = builder.inttoptr(load(), array.data.type)
    shape = [load() for _ in range(kind.ndim)]
    strides: list[Any] = []
    step: Any = item
    for length in reversed(shape):
        strides.insert(0, step)
        step = builder.mul(step, length)
    pack, populate = _UNTYPED
    populate(array, data=data, shape=pack(builder, shape), strides=pack(builder, strides), itemsize=item, meminfo=None)
    return array._getvalue()  # noqa: SLF001


def _keep_entry(module: Any) -> tuple[str, ...]:
    """Drop all that the entry does not reach; give missing functions a body. Returns the symbols that stay missing."""
    for value in (*module.functions, *module.global_variables):
        if value.name != ENTRY and not value.is_declaration:
            value.linkage = "internal"
    _drop_unused(module)
    process = ctypes.CDLL(None)
    needs, bodies, defined = [], [], []
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration or value.name.startswith("llvm."):
            continue
        if hasattr(process, value.name):
            needs.append(value.name)
        else:
            bodies.append(_definition(value))
            defined += [value.name] if value.is_function else []
    if bodies:
        module.link_in(binding.parse_assembly("\n".join(bodies)))
        for name in defined:
            module.get_function(name).linkage = "internal"
    return tuple(sorted(needs))


def _drop_unused(module: Any) -> None:
    machine = binding.Target.from_default_triple().create_target_machine()
    passes = binding.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, binding.create_pass_builder(machine, binding.create_pipeline_tuning_options()))


def _definition(value: Any) -> str:
    """LLVM text of a body for a function, or of a value for a variable, that the loading process does not have."""
    if not value.is_function:
        return f"@{value.name} = global {value.global_value_type} zeroinitializer"
    if value.name == "numba_attempt_nocopy_reshape":
        return RESHAPE
    result, *parameters = map(str, value.global_value_type.elements)
    returned = "ret void" if result == "void" else f"ret {result} {'null' if result == 'ptr' else '0'}"
    return f"define {result} @{value.name}({', '.join(parameters)}) {{ {returned} }}"
