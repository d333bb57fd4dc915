"""Spiking populations in integers, and what drives them; equations in `edgehar.graph.intops`."""

from __future__ import annotations

from edgehar.runtimes.kernels.compiler import exact_kernel
from edgehar.runtimes.kernels.integer_dot import clamped, rounded
from edgehar.runtimes.kernels.integer_types import Values


@exact_kernel
def of(values: Values, i: int) -> int:
    """Entry i, or the one that all share."""
    return int(values[0]) if len(values) == 1 else int(values[i])


@exact_kernel
def leak(out: Values, current: Values, drive: Values, alpha: Values, low: int, high: int) -> None:
    """Write the synaptic currents [n] after this sample to `out`, and to the drive, there times 2^8."""
    for i in range(len(out)):
        v = clamped(rounded(((of(alpha, i) * int(current[i])) >> 7) + int(drive[i]), 8), low, high)
        out[i] = v
        drive[i] = v << 8


@exact_kernel
def fire_int(
    spikes: Values, out: Values, potential: Values, drive: Values, beta: Values, threshold: Values, low: int, high: int
) -> int:
    """Write the potentials [n] after this sample to `out`, and the spikes; return how many there are."""
    fired = 0
    for i in range(len(spikes)):
        before, thr = int(potential[i]), of(threshold, i)
        reset = thr if before > thr else 0
        u = clamped(rounded(((of(beta, i) * before) >> 7) + int(drive[i]), 8) - reset, low, high)
        out[i] = u
        spikes[i] = u > thr
        fired += int(u > thr)
    return fired


@exact_kernel
def expand(out: Values, x: Values, w: Values, b: Values, multiplier: int, shift: int) -> None:
    """Every input drives neurons of its own: out, w, b [channels * pop], x [channels]."""
    pop = len(out) // len(x)
    for i in range(len(out)):
        out[i] = rounded(int(w[i]) * int(x[i // pop]) * multiplier, shift) + b[i]


@exact_kernel
def legendre(out: Values, x: Values, u: Values, a: Values, b: Values, multiplier: Values, shift: int) -> None:
    """Drive of the memory out [memory * d] from spikes x [memory * d] and u [memory]; a [d * d], b [d]."""
    d = len(b)
    for n in range(len(out)):
        i, j = n // d, n % d
        acc = int(b[j]) * int(u[i])
        for k in range(d):
            acc += int(a[j * d + k]) * int(x[i * d + k])
        out[n] = rounded(acc * of(multiplier, n), shift)
