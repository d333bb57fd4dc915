"""A sensor on the other wrist, seen as if in a mirror.

A movement of the right arm is the mirror image of the left arm's. Seen by a sensor that is worn the same way up on
either wrist, the reflection runs along the axis that points down the forearm: a watch's +x leads to the hand on the
left wrist and to the elbow on the right one. Accelerations are vectors, so that axis alone changes its sign; turn rates
are axial vectors, which a reflection M turns into det(M) M w, so the two others change theirs.
"""

from __future__ import annotations

import numpy as np

from edgehar.dsp.imu_still import Float64

AXES = "xyz"


def mirror_signs(axis: str) -> Float64:
    """[6] factors for acc_x, acc_y, acc_z, gyro_x, gyro_y, gyro_z where the forearm lies along `axis`.

    >>> mirror_signs("x").tolist()
    [-1.0, 1.0, 1.0, 1.0, -1.0, -1.0]
    """
    reflection = np.array([-1.0 if other == axis else 1.0 for other in AXES])
    return np.concatenate([reflection, -reflection])
