"""A kernel's arguments as one block of 64-bit words, and the call that takes the block's address.

A scalar is one word: an integer as it is, a float by its bits. An array is its address and its dimensions; kernels take
arrays without holes, in C order.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from edgehar.types import IntArray

ENTRY: Final = "eh_entry"
Entry = Callable[[int], int]
"""Takes the address of a block, returns 0 or Numba's status of a failure."""


def kind_of(argument: Any) -> str:
    """The argument's word in a signature.

    >>> kind_of(np.zeros((2, 3), np.float32)), kind_of(7), kind_of(np.float32(1))
    ('float32:2', 'int64', 'float32')
    """
    if isinstance(argument, np.ndarray):
        if not argument.flags.carray:
            raise TypeError(f"a kernel takes no array with holes: shape {argument.shape}, strides {argument.strides}")
        return f"{argument.dtype.name}:{argument.ndim}"
    if isinstance(argument, (bool, np.bool_)):
        return "bool"
    if isinstance(argument, np.float32):
        return "float32"
    return "float64" if isinstance(argument, float) else "int64"


class Call:
    """An entry with its arguments; arrays are shared with the caller, never copied.

    `run()` calls the kernel; it returns Numba's status, not 0 where the kernel would have raised. `words` [k] int64 is
    the block; `place` says where each argument's words begin: to pass another number, or fewer rows of an array, write
    there.
    """

    def __init__(self, entry: Entry, arguments: Sequence[Any]) -> None:
        self.arguments = tuple(arguments)  # keeps the arrays alive
        words: list[int] = []
        self.place: list[int] = []
        for argument in self.arguments:
            self.place.append(len(words))
            words += _words(argument)
        self.words: IntArray = np.array(words, np.int64)
        self.run: Callable[[], int] = partial(entry, self.words.ctypes.data)


def _words(argument: Any) -> list[int]:
    if isinstance(argument, np.ndarray):
        return [argument.ctypes.data, *argument.shape]
    if isinstance(argument, np.float32):
        return [int.from_bytes(struct.pack("<f", argument), "little")]
    if isinstance(argument, float):
        return [int.from_bytes(struct.pack("<d", argument), "little", signed=True)]
    return [int(argument)]
