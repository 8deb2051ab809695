"""A study made from a seed: no axis is a symmetry, and a beam meets water, lung and bone on its way."""

import numpy as np

from phantoms.study import Mask, Structure, Study, Volume

CORNER = (-115.0, -130.0, -52.5)  # x, y, z of what is scanned, in mm
SIDES = (240.0, 240.0, 160.0)
CUBES, OBLONG = (5.0, 5.0, 5.0), (4.0, 5.0, 5.0)  # voxels; who takes rows for columns sees no difference in cubes
AIR, LUNG, WATER, BONE = -1000.0, -700.0, 0.0, 700.0
NOISE = 4.0  # Hounsfield units, one standard deviation


def synthetic(seed: int) -> Study:
    """Body with a lung-like slab and a dense insert; PTV, cord and kidney. The seed moves the PTV by millimetres; every
    third has oblong voxels.
    """
    random = np.random.default_rng(seed)
    dx, dy, dz = random.uniform(-4.0, 4.0, 3)
    spacing = CUBES if seed % 3 else OBLONG
    x0, y0, z0 = (edge + size / 2 for edge, size in zip(CORNER, spacing, strict=True))
    columns, rows, planes = (round(side / size) for side, size in zip(SIDES, spacing, strict=True))
    z, y, x = np.meshgrid(
        z0 + spacing[2] * np.arange(planes),
        y0 + spacing[1] * np.arange(rows),
        x0 + spacing[0] * np.arange(columns),
        indexing="ij",
    )
    body = _body(x, y, z)
    slab = body & (x > 45 + 0.2 * z) & (x < 80) & (y > -60) & (y < 30) & (z > -30)
    insert = (x + 48 - 0.1 * z) ** 2 + (y - 22) ** 2 < 13**2
    ptv = _target(x - dx, y - dy, z - dz) & body
    cord = ((x - 2) ** 2 + (y - 48) ** 2 < 9**2) & (z > -35)
    kidney = ((x + 50) / 22) ** 2 + ((y + 30) / 26) ** 2 + (z / 38) ** 2 < 1
    hounsfield = np.where(body, WATER, AIR)
    hounsfield[slab & ~ptv] = LUNG
    hounsfield[insert & body] = BONE
    hounsfield[body] += random.normal(0.0, NOISE, int(body.sum()))
    return Study(
        name=f"synthetic-{seed}",
        patient=f"OTA-{seed:06d}",
        hounsfield=np.rint(hounsfield),
        origin=(x0, y0, z0),
        spacing=spacing,
        structures=(
            Structure("BODY", "EXTERNAL", body),
            Structure("PTV", "PTV", ptv),
            Structure("CORD", "ORGAN", cord & body),
            Structure("KIDNEY", "ORGAN", kidney & body & ~ptv),
        ),
    )


def _body(x: Volume, y: Volume, z: Volume) -> Mask:
    """An oval that widens and shifts from foot to head, flatter behind than in front."""
    across = (x - 4 - 0.06 * z) / (98 + 0.1 * z)
    deep = np.where(y < 0, y / (88 - 0.08 * z), y / (74 + 0.05 * z))
    inside: Mask = across**2 + deep**2 < 1
    return inside


def _target(x: Volume, y: Volume, z: Volume) -> Mask:
    """An oval off the middle with a lobe towards the left, the front and the head."""
    main = ((x - 14) / 27) ** 2 + ((y + 6) / 22) ** 2 + ((z - 4) / 28) ** 2 < 1
    lobe = ((x - 32) / 16) ** 2 + ((y + 20) / 14) ** 2 + ((z - 18) / 18) ** 2 < 1
    inside: Mask = main | lobe
    return inside
