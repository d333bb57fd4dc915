"""Which tensors a model holds, from its `model` object in the manifest: one function per family.

A bundle is accepted only if the object is complete and every tensor has its name, shape, type and finite values,
so runtimes never check again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgehar.errors import InputError, Reason
from edgehar.manifest import Manifest
from edgehar.manifest_fields import Fields, refuse

Shape = tuple[int, ...]
# A name may have several shapes where one value can stand for a whole population.
Layout = dict[str, tuple[Shape, ...]]

MAX_SIZE = 1 << 16  # units of one layer


def check_tensors(manifest: Manifest, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Raise InputError at the first tensor that is missing, unknown, of another shape or type, or not finite."""
    layout = tensor_layout(manifest)
    for name in sorted({*layout, *tensors}):
        if name not in layout or name not in tensors:
            what = "missing" if name in layout else f"unknown to the family {manifest.model['family']}"
            raise _wrong(name, what)
        found, allowed = tensors[name], layout[name]
        if found.shape not in allowed or found.dtype != np.float32:
            wanted = " or ".join(str(list(shape)) for shape in allowed)
            raise _wrong(name, f"{found.dtype} {list(found.shape)}, must be float32 {wanted}")
        if not np.isfinite(found).all():
            raise _wrong(name, f"not finite at {list(map(int, np.argwhere(~np.isfinite(found))[0]))}")


def tensor_layout(manifest: Manifest) -> Layout:
    """Names and shapes of all tensors; raises InputError naming the wrong field of `manifest.model`."""
    fields = Fields(manifest.model, "model.")
    family = fields.text("family")
    inputs = fields.integer("inputs", low=1, high=MAX_SIZE)
    classes = fields.integer("classes", low=1, high=MAX_SIZE)
    return FAMILY_LAYOUTS[family](fields, manifest, inputs, classes)


def _fastgrnn(f: Fields, _: Manifest, inputs: int, classes: int) -> Layout:
    hidden = f.integer("hidden", low=1, high=MAX_SIZE)
    ranks = {"W": _optional_rank(f, "rank_w"), "U": _optional_rank(f, "rank_u")}
    f.finish()
    layout: Layout = dict.fromkeys(("b_z", "b_h"), ((hidden,),))
    layout |= {"zeta": ((1,),), "nu": ((1,),), "fc_w": ((classes, hidden),), "fc_b": ((classes,),)}
    for name, columns in (("W", inputs), ("U", hidden)):
        rank = ranks[name]
        if rank is None:
            layout[name] = ((hidden, columns),)
        else:
            layout |= {f"{name}1": ((hidden, rank),), f"{name}2": ((columns, rank),)}
    return layout


def _gru(f: Fields, _: Manifest, inputs: int, classes: int) -> Layout:
    hidden = f.integer("hidden", low=1, high=MAX_SIZE)
    f.finish()
    gates = 3 * hidden
    return {
        "w_ih": ((gates, inputs),),
        "w_hh": ((gates, hidden),),
        "b_ih": ((gates,),),
        "b_hh": ((gates,),),
        "fc_w": ((classes, hidden),),
        "fc_b": ((classes,),),
    }


def _convnet(f: Fields, manifest: Manifest, inputs: int, classes: int) -> Layout:
    """Also checks that the window is long enough and that the strides stay on the grid of hops."""
    layers = f.take("layers")
    f.finish()
    if not isinstance(layers, list) or len(layers) < 3:
        raise refuse("model.layers", layers, "a list: one or more conv or residual, then mean, then linear")
    layout: Layout = {}
    channels, length, total_stride = inputs, manifest.window, 1
    for i, layer in enumerate(layers[:-2]):
        path = f"model.layers[{i}]."
        fields = Fields(layer, path)
        if fields.choice("op", ("conv", "residual")) == "conv":
            channels, length, stride = _conv(fields, path, channels, length, layout)
            total_stride *= stride
        else:
            length = _residual(fields, path, channels, length, layout)
    for i, op in ((len(layers) - 2, "mean"), (len(layers) - 1, "linear")):
        fields = Fields(layers[i], f"model.layers[{i}].")
        fields.choice("op", (op,))
        if op == "linear":
            name = fields.text("name")
            layout |= {f"{name}.w": ((classes, channels),), f"{name}.b": ((classes,),)}
        fields.finish()
    if manifest.hop % total_stride:
        raise refuse("hop", manifest.hop, f"a multiple of {total_stride}, the product of the model's strides")
    return layout


def _fusion(f: Fields, manifest: Manifest, inputs: int, classes: int) -> Layout:
    """A convnet with `sensor`, for each input the number of the sensor that it comes from."""
    sensors = len(manifest.contract.sensors)
    of = f.take("sensor")
    known = isinstance(of, list) and all(isinstance(n, int) and not isinstance(n, bool) for n in of)
    if not known or len(of) != inputs or set(of) != set(range(sensors)):
        raise refuse("model.sensor", of, f"for each of {inputs} inputs one of {sensors} sensors, none without an input")
    return _convnet(f, manifest, inputs, classes)


def _conv(f: Fields, path: str, channels: int, length: int, layout: Layout) -> tuple[int, int, int]:
    name, out = f.text("name"), f.integer("out", low=1, high=MAX_SIZE)
    kernel, stride = f.integer("kernel", low=1, high=MAX_SIZE), f.integer("stride", low=1, high=MAX_SIZE)
    groups = f.integer("groups", low=1, high=MAX_SIZE)
    f.choice("op", ("conv",))
    f.flag("relu")
    f.finish()
    if channels % groups or out % groups:
        raise refuse(f"{path}groups", groups, f"a divisor of {channels} input and {out} output channels")
    if kernel > length:
        raise refuse(f"{path}kernel", kernel, f"at most {length}, the samples that are left of the window here")
    if f"{name}.w" in layout:
        raise refuse(f"{path}name", name, "a name that no other layer has")
    layout |= {f"{name}.w": ((out, channels // groups, kernel),), f"{name}.b": ((out,),)}
    return out, (length - kernel) // stride + 1, stride


def _residual(f: Fields, path: str, channels: int, length: int, layout: Layout) -> int:
    body = f.take("body")
    f.finish()
    if not isinstance(body, list) or not body:
        raise refuse(f"{path}body", body, "a list of conv")
    width, before = channels, length
    for i, conv in enumerate(body):
        here = f"{path}body[{i}]."
        width, length, stride = _conv(Fields(conv, here), here, width, length, layout)
        if stride != 1:
            raise refuse(f"{here}stride", stride, "1 inside a residual")
    if width != channels or (before - length) % 2 or body[-1]["relu"]:
        raise refuse(
            f"{path}body", body, f"{channels} channels out, an even sum of (kernel - 1), and no relu at its end"
        )
    return length


def _l2mu(f: Fields, _: Manifest, inputs: int, classes: int) -> Layout:
    memory, order = f.integer("memory", low=1, high=MAX_SIZE), f.integer("order", low=1, high=MAX_SIZE)
    hidden = f.integer("hidden", low=1, high=MAX_SIZE)
    f.number("theta", low=0.0, above=True)
    neuron = f.choice("neuron", ("leaky", "synaptic"))
    encoder = f.choice("encoder", ("plain", "single", "stacked"))
    f.choice("readout", ("count", "membrane"))
    f.flag("legacy_transposed_A")
    sizes = {"u": memory, "m": memory * order, "h": hidden, "o": classes}
    layout: Layout = {}
    features = inputs
    # Sizes that the chosen encoder does not have may be absent or null.
    if encoder != "plain":
        pop = f.integer("pop", low=1, high=MAX_SIZE)
        layout |= {"enc0_w": ((inputs, pop),), "enc0_b": ((inputs, pop),)}
        features = sizes["enc0"] = inputs * pop
    if encoder == "stacked":
        for population, key in (("enc1", "encoding"), ("enc2", "encoded")):
            size = f.integer(key, low=1, high=MAX_SIZE)
            layout |= {f"{population}_w": ((size, features),), f"{population}_b": ((size,),)}
            features = sizes[population] = size
    for unused in {"pop", "encoding", "encoded"} & set(f.mapping):
        f.take(unused)
    f.finish()
    flat = memory * order
    layout |= {
        "E_x": ((memory, features),),
        "E_h": ((memory, hidden),),
        "E_m": ((memory, flat),),
        "W_x": ((hidden, features),),
        "W_h": ((hidden, hidden),),
        "W_m": ((hidden, flat),),
        "A": ((order, order),),
        "B": ((order,),),
        "W_o": ((classes, hidden),),
        "b_o": ((classes,),),
    }
    for population, size in sizes.items():
        for parameter in ("beta", "thr", *(["alpha"] if neuron == "synaptic" else [])):
            layout[f"{parameter}_{population}"] = ((1,), (size,))
    return layout


def _optional_rank(f: Fields, name: str) -> int | None:
    return None if f.take(name) is None else f.integer(name, low=1, high=MAX_SIZE)


def _wrong(name: str, what: str) -> InputError:
    return InputError(
        f"weights.safetensors: tensor '{name[:80]}' is {what}",
        reason=Reason.SHAPE,
        hint="write the bundle again (edgehar train), or fetch it again if it came from elsewhere",
    )


FAMILY_LAYOUTS: Mapping[str, Callable[[Fields, Manifest, int, int], Layout]] = {
    "fastgrnn": _fastgrnn,
    "gru": _gru,
    "cnn": _convnet,
    "csicnn": _convnet,
    "csieffnet": _convnet,
    "dscnn": _convnet,
    "fusion": _fusion,
    "l2mu": _l2mu,
}
