"""Which build this is, and what it computes with."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy  # noqa: F401 - loads the BLAS that is looked at below
import scipy.linalg  # noqa: F401 - and its second copy
from threadpoolctl import threadpool_info

UNTOLD = "untold"  # a build or colour nobody told us: a developer's machine
MODEL = "dose-engine"
MAKER = "Clinic"
LIBRARIES = ("numpy", "scipy", "pydicom")
KERNEL, THREADS = "haswell", 1  # what every dose of ours was proven with; an environment may ask for others


@dataclass(frozen=True)
class Identity:
    """The build (config digest of its image) and the colour it runs as."""

    build: str
    colour: str

    @property
    def software_versions(self) -> list[str]:
        """For objects: the digest's 64 digits, which is as much as the element holds, and the engine's name."""
        return [self.build.removeprefix("sha256:"), MODEL]

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """For every answer."""
        return (b"x-otagate-build", self.build.encode()), (b"x-otagate-colour", self.colour.encode())


@dataclass(frozen=True)
class Arithmetic:
    """What the last digits of a dose depend on."""

    processor: str
    libraries: Mapping[str, str]
    kernels: tuple[str, ...]  # of each copy of the BLAS that is loaded
    threads: int

    @property
    def proven(self) -> bool:
        """Whether this is the one kernel and the one thread, whatever the environment asked for."""
        return {kernel.lower() for kernel in self.kernels} == {KERNEL} and self.threads == THREADS

    @property
    def answer(self) -> dict[str, object]:
        """For the health check and the answers."""
        return {
            "processor": self.processor,
            "libraries": dict(self.libraries),
            "blas_kernels": list(self.kernels),
            "threads": self.threads,
        }


def arithmetic() -> Arithmetic:
    """As loaded in this process, not as asked for."""
    pools = [pool for pool in threadpool_info() if pool.get("user_api") == "blas"]
    return Arithmetic(
        processor=platform.machine(),
        libraries={name: version(name) for name in LIBRARIES},
        kernels=tuple(sorted({str(pool.get("architecture", "unknown")) for pool in pools})),
        threads=max((int(pool["num_threads"]) for pool in pools), default=0),
    )


def identity(environ: Mapping[str, str] = os.environ) -> Identity:
    """From what the platform injects."""
    return Identity(environ.get("OTAGATE_BUILD", UNTOLD), environ.get("OTAGATE_COLOUR", UNTOLD))
