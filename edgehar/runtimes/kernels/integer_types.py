"""Array types of the integer kernels.

Tensors of recurrent models are int32 whatever their dtype on a board; the values are the same. Those of convnets are
cells of 8 or 16 bits.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from edgehar.types import IntArray

Weights = Annotated[NDArray[np.int8], "int8[::1]"]
Values = Annotated[NDArray[np.int32], "int32[::1]"]
Lanes = Annotated[NDArray[np.int32], "int32[:,::1]"]
Wide = Annotated[IntArray, "int64[::1]"]
Cells = Annotated[NDArray[np.uint8], "uint8[::1]"]
WideCells = Annotated[NDArray[np.int16], "int16[::1]"]
Int8Array = NDArray[np.int8]
Int32Array = NDArray[np.int32]
AnyArray = NDArray[Any]
