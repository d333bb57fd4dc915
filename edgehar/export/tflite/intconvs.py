"""Convolutions of the integer graph: int8 (or int16) columns, int8 kernels with a scale for each output channel."""

from __future__ import annotations

import numpy as np

from edgehar.export.tflite.builder import FLOAT32, INT8, INT16
from edgehar.export.tflite.fixedpoint import FixedPoint, Real
from edgehar.export.tflite.floats import conv_options, crop_columns, is_depthwise, kernel_layout
from edgehar.export.tflite.model import TensorQuant
from edgehar.export.tflite.schema import Activation
from edgehar.graph.intops import IntConv, IntMean


def emit_conv(f: FixedPoint, op: IntConv) -> None:
    """One convolution; a skip is added behind it."""
    if op.skip and f.narrow(op.out) and f.float_sums:
        _emit_float_sum(f, op)
        return
    b, x = f.b, f.tensors[op.x]
    depthwise = is_depthwise(op.groups, b.shape(x)[3])
    scales = _kernel_scales(f, op)
    axis = 3 if depthwise else 0
    outputs = len(op.w.value)
    per_output = TensorQuant(tuple(scales.tolist()), (0,) * outputs, axis)
    w = b.const(op.w.name, kernel_layout(op.w.value, depthwise=depthwise), per_output)
    units = TensorQuant(tuple((scales * f.scale(op.x)).tolist()), (0,) * outputs, 0)
    bias = b.const(op.b.name, _bias(f, op).astype(np.int32 if b.dtype(x) == INT8 else np.int64), units)
    relu, shape = _relu(f, op), _shape(f, op)
    kind = _kind(depthwise=depthwise)
    options = conv_options(b, x, op.stride, depthwise=depthwise, outputs=outputs)
    fused = Activation.NONE if op.skip else relu
    result = _before_skip(f, op) if op.skip else f.quant_of(op.out)
    y = b.op(kind, [x, w, bias], shape, quant=result, activation=fused, **options)
    if op.skip:
        skip = crop_columns(b, f.tensors[op.skip], op.skip_lag, shape[2])
        y = b.op("ADD", [y, skip], quant=f.quant_of(op.out), activation=relu, pot_scale_int16=0)
    f.tensors[op.out] = y


def _emit_float_sum(f: FixedPoint, op: IntConv) -> None:
    """The convolution and its skip on the same int8 columns and weights, with one rounding, as in the integer graph.

    A convolution on int8 gives int8: it would round once before the skip is added, and the sum once more. In float32 a
    weight's unit is 1, so that interpreters unpack the int8 weights; `scales` follow as a product.
    """
    b, x = f.b, f.tensors[op.x]
    depthwise = is_depthwise(op.groups, b.shape(x)[3])
    scales = _kernel_scales(f, op)
    outputs, shape = len(op.w.value), _shape(f, op)
    packed = b.const(op.w.name, kernel_layout(op.w.value, depthwise=depthwise), TensorQuant((1.0,)))
    columns, w = (b.op("DEQUANTIZE", [name], dtype=FLOAT32) for name in (x, packed))
    bias = b.floats(op.b.name, _bias(f, op) * f.scale(op.x))
    options = conv_options(b, x, op.stride, depthwise=depthwise, outputs=outputs)
    y = b.op(_kind(depthwise=depthwise), [columns, w, bias], shape, activation=Activation.NONE, **options)
    y = b.op("MUL", [y, b.floats(f"{op.w.name}.scales", scales.reshape(1, 1, 1, -1))])
    skip = b.op("DEQUANTIZE", [crop_columns(b, f.tensors[op.skip], op.skip_lag, shape[2])], dtype=FLOAT32)
    y = b.op("ADD", [y, skip], activation=_relu(f, op))
    f.tensors[op.out] = b.op("QUANTIZE", [y], dtype=INT8, quant=f.quant_of(op.out))


def emit_mean(f: FixedPoint, op: IntMean) -> None:
    """In int16 at 1 / 256 of the columns' unit: an int8 mean would lose what averaging gains.

    An int8 zero point stays in the values; the product behind the mean takes it out with its bias (`origin`).
    """
    x, quant = f.tensors[op.x], f.graph.quants[op.x]
    shape = (1, f.b.shape(x)[3])
    axes = f.b.ints("time", [1, 2])
    if quant.dtype == "int8":
        x = f.cast(x, INT16, TensorQuant((quant.scale,)))
        f.origin[op.out] = -quant.zero_point * quant.scale
        scale = quant.scale / 256
    else:
        scale = f.scale(op.out)
    f.tensors[op.out] = f.b.op("MEAN", [x, axes], shape, quant=TensorQuant((scale,)))


def _kind(*, depthwise: bool) -> str:
    return "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"


def _shape(f: FixedPoint, op: IntConv) -> tuple[int, int, int, int]:
    return 1, 1, (f.b.shape(f.tensors[op.x])[2] - op.kernel) // op.stride + 1, len(op.w.value)


def _relu(f: FixedPoint, op: IntConv) -> Activation:
    return Activation.RELU if op.low == f.graph.quants[op.out].zero_point else Activation.NONE


def _kernel_scales(f: FixedPoint, op: IntConv) -> Real:
    """Real value of a weight's unit, one for each output."""
    multiplier = np.broadcast_to(op.multiplier.value.astype(np.float64), len(op.w.value))
    return np.asarray(multiplier / 2.0**op.shift * f.scale(op.out) / f.scale(op.x))


def _bias(f: FixedPoint, op: IntConv) -> Real:
    """Without the zero point of x, which TFLite takes out itself."""
    sums = op.w.value.astype(np.float64).reshape(len(op.w.value), -1).sum(axis=1)
    return np.asarray(op.b.value.astype(np.float64) + f.graph.quants[op.x].zero_point * sums)


def _before_skip(f: FixedPoint, op: IntConv) -> TensorQuant:
    """Scale and zero point of the convolution's own result y, of which y + skip within out's range is all that matters.

    y lies between lowest out - highest skip and highest out - lowest skip; outside, the sum saturates (or relu cuts).
    """
    skip = f.tensors[op.skip]
    low, high = _ends(f.b.dtype(skip), f.quant_of(op.out), op.low)
    skip_low, skip_high = _ends(f.b.dtype(skip), f.b.quant(skip) or f.quant_of(op.out))
    low, high = min(low - skip_high, 0.0), max(high - skip_low, 0.0)
    if f.graph.quants[op.out].dtype != "int8":
        return TensorQuant((max(-low, high) / 32767,))
    scale = (high - low) / 255
    return TensorQuant((scale,), (int(np.clip(round(-128 - low / scale), -128, 127)),))


def _ends(dtype: np.dtype[np.generic], quant: TensorQuant, lowest: int | None = None) -> tuple[float, float]:
    low, high = (-128, 127) if dtype == INT8 else (-32768, 32767)
    (scale,), (zero,) = quant.scale, quant.zero_point
    return scale * ((low if lowest is None else lowest) - zero), scale * (high - zero)
