"""A GPU whose power limit is below the usual one, as `nvidia-smi --power-limit` sets it.

Cores that switch f times a second at a voltage V draw a power that grows with f V^2, and V grows
with f. So the power grows with the cube of the clock, and a GPU that trains near its limit has to
lower its clock to the cube root of what is left of the limit:

    clock = usual clock * (limit / usual limit)^(1/3)

Products and attention are as much slower. The memory has a clock of its own and stays as fast.

An example: at 500 W an H100 of 700 W computes at 0.894 of its speed. torchtitan's H100s of 500 W
train an 8B, compiled, at 0.89 to 0.90 of the speed that llmsim computes for 700 W (tests/truth).
"""

from functools import lru_cache

from llmsim.catalog.records import Gpu, gpus

# A processor's clock is a multiple of it.
_STEP_MHZ = 15


def limited(gpu: Gpu, watts: int) -> Gpu:
    """The GPU with a power limit of `watts`, which may not exceed its usual limit."""
    clock = (watts / gpu.tdp_watts) ** (1 / 3)
    slower = round(gpu.clock_mhz * clock / _STEP_MHZ) * _STEP_MHZ
    return gpu._replace(tdp_watts=watts, mfu=gpu.mfu * clock, clock_mhz=slower)


@lru_cache(maxsize=64)
def unlimited(gpu: Gpu) -> Gpu:
    """The listed GPU of this name, with its usual limit; a GPU that is not listed is itself."""
    return {listed.name: listed for listed in gpus()}.get(gpu.name, gpu)
