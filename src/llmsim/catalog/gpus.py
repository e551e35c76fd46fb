"""What follows from a GPU's row: the only module that looks at a GPU's name or at its form.

The form says who makes a GPU and how it is built in. The name says the generation, by the marks
in _MARKS; a name without one of them is taken to be of its vendor's newest generation, so that
a new GPU is one row of data/llm_gpus.txt and nothing else.
"""

from llmsim.catalog.records import Gpu
from llmsim.typed import Literal, NamedTuple

Vendor = Literal["NVIDIA", "AMD", "Google"]
Generation = Literal[
    "Ampere", "Ada", "Hopper", "Blackwell", "Blackwell Ultra", "CDNA 2", "CDNA 3", "CDNA 4", "TPU"
]
# What traffic inside a node goes through. GeForce cards have no peer access to each other, so
# their data goes through the host's memory; each Instinct GPU is linked to every other one, and
# TPUs form a torus.
Fabric = Literal["host memory", "PCIe", "NVLink", "mesh", "torus"]
Device = Literal["GPU", "NVIDIA GPU", "TPU"]
DEVICES: tuple[Device, ...] = ("GPU", "NVIDIA GPU", "TPU")

# A vendor's generations from the newest to the oldest, and parts of the names of each.
_MARKS: dict[Vendor, tuple[tuple[Generation, tuple[str, ...]], ...]] = {
    "NVIDIA": (
        ("Blackwell Ultra", ("B300",)),
        ("Blackwell", ("Blackwell", "B100", "B200", "RTX 50")),
        ("Hopper", ("H100", "H200", "H800", "H20")),
        ("Ada", ("Ada", "L40", "L4", "RTX 40")),
        ("Ampere", ("A100", "A800", "A40", "A30", "A10", "RTX A", "RTX 30")),
    ),
    "AMD": (("CDNA 4", ("MI35",)), ("CDNA 3", ("MI30", "MI325")), ("CDNA 2", ("MI2",))),
    "Google": (("TPU", ("TPU",)),),
}
_BRANDS = ("NVIDIA ", "AMD Instinct ", "AMD ")

_FAST_LINK_GB_S = 100.0  # a slower link is PCIe
_POD = 8960  # chips of a TPU v5p pod, the largest torus (Google Cloud's page of v5p)
_RACK = 72  # GPUs of an NVL72, which one NVLink domain joins
_MULTICAST_GB_S = 200.0

# Memory that is faster than this is HBM, TB/s: the fastest GDDR6X has 1.0, GDDR7 1.8.
_GDDR6_TB_S, _GDDR7_TB_S = 1.1, 1.9


def vendor(gpu: Gpu) -> Vendor:
    """The company that makes the GPU."""
    if gpu.form == "instinct":
        return "AMD"
    return "Google" if gpu.form == "tpu" else "NVIDIA"


def is_nvidia(gpu: Gpu) -> bool:
    """Whether NVIDIA's driver, and so nvidia-smi, runs it."""
    return vendor(gpu) == "NVIDIA"


def generation(gpu: Gpu) -> Generation:
    """The architecture's name; the newest one of the vendor where the name has no mark."""
    marks = _MARKS[vendor(gpu)]
    found = (name for name, parts in marks if any(part in gpu.name for part in parts))
    return next(found, marks[0][0])


def short_name(gpu: Gpu) -> str:
    """The name without its vendor's: "H100 80GB HBM3", "MI300X"."""
    name = gpu.name
    for brand in _BRANDS:
        name = name.removeprefix(brand)
    return name


def brief_name(gpu: Gpu) -> str:
    """The name without its brand, form and memory: "H100", "A100", "RTX 4090"."""
    name = short_name(gpu).removeprefix("GeForce ")
    for form in ("-SXM", " SXM", "-PCI", " PCI"):
        name = name.partition(form)[0]
    words = name.split(" ")
    memory = (place for place, word in enumerate(words) if word.endswith("GB"))
    return " ".join(words[: next(memory, len(words))])


def device(gpu: Gpu) -> Device:
    """What people call it; a TPU is not a "GPU"."""
    return "TPU" if vendor(gpu) == "Google" else "GPU"


def is_a(gpu: Gpu, kind: Device) -> bool:
    """Whether a framework for this kind of device works on it."""
    return kind == device(gpu) or (kind == "NVIDIA GPU" and is_nvidia(gpu))


def is_built(gpu: Gpu, forms: tuple[str, ...]) -> bool:
    """Whether it has one of these forms of data/llm_gpus.txt."""
    return gpu.form in forms


DESKS = ("geforce", "workstation")  # forms of cards for one person's machine
CARDS = (*DESKS, "pcie")


def is_card(gpu: Gpu) -> bool:
    """Whether it is a card in a slot: people use the cards of one machine together."""
    return is_built(gpu, CARDS)


def holds_models_whole(gpu: Gpu) -> bool:
    """Whether people shard a model over it and cut no layers: a card, or a TPU of a slice."""
    return is_card(gpu) or gpu.form == "tpu"


# --- links -------------------------------------------------------------------------------


def has_fast_link(gpu: Gpu) -> bool:
    """Whether the GPUs of a node have links of their own (NVLink, XGMI, ICI) beside PCIe."""
    return gpu.link_gb_s >= _FAST_LINK_GB_S


def fabric(gpu: Gpu) -> Fabric:
    """What the traffic between the GPUs of a node goes through."""
    if not has_fast_link(gpu):
        return "host memory" if gpu.form == "geforce" else "PCIe"
    links: dict[Vendor, Fabric] = {"NVIDIA": "NVLink", "AMD": "mesh", "Google": "torus"}
    return links[vendor(gpu)]


def reports_links(gpu: Gpu) -> bool:
    """Whether the driver has an Xid for each unit of a link, 144 to 150: fifth NVLinks on."""
    return _is_blackwell(gpu) and has_fast_link(gpu)


def is_rack(gpu: Gpu) -> bool:
    """Whether the GPU comes as a rack of one NVLink domain, with liquid cooling: GB200, GB300."""
    return gpu.form == "superchip" and _is_blackwell(gpu)


def linked_nodes(gpu: Gpu) -> int:
    """Nodes that NVLink joins: 18 trays of 4 in an NVL72 rack (NVIDIA), else a node alone."""
    return _RACK // gpu.per_node if is_rack(gpu) else 1


def slice_domain(gpu: Gpu) -> int:
    """GPUs among which a tensor slice can lie: of one node, of an NVL72 rack, of a TPU pod.

    A torus goes on from host to host: MaxText's 128B has slices of 8 on hosts of 4 chips
    (configs/tpu/v5p/128b.sh).
    """
    if fabric(gpu) == "torus":
        return _POD
    return gpu.per_node * linked_nodes(gpu)


def has_multicast(gpu: Gpu) -> bool:
    """Whether the switch of its node adds up and copies data itself (NVLink SHARP, since
    Hopper).
    """
    since_hopper = generation(gpu) == "Hopper" or _is_blackwell(gpu)
    return since_hopper and gpu.link_gb_s >= _MULTICAST_GB_S


def bus_domain_digits(gpu: Gpu) -> int:
    """Hexadecimal digits of the PCI domain: rocm-smi prints 4 of them, nvidia-smi 8."""
    return 4 if vendor(gpu) == "AMD" else 8


# --- power and cooling -------------------------------------------------------------------


def is_on_grace(gpu: Gpu) -> bool:
    """Whether its node's CPUs are NVIDIA's own, which are ARM: GH200, GB200, GB300."""
    return gpu.form == "superchip"


def superchip_bus(gpu: Gpu) -> str:
    """The bus and the slot of a superchip's GPU, which has a PCI domain of its own."""
    return "06:00.0" if generation(gpu) == "Blackwell Ultra" else "01:00.0"


def socket_cores(gpu: Gpu) -> int:
    """Cores of a CPU beside it: Grace has 72."""
    return 72 if is_on_grace(gpu) else 96


def socket_gpus(gpu: Gpu) -> int:
    """GPUs of one CPU: a Grace has up to two."""
    return min(2, gpu.per_node) if is_on_grace(gpu) else 4


def typical_mfu(gpu: Gpu) -> float:
    """MFU of a dense 7B model on one node of this GPU, 0..1."""
    return gpu.mfu / 100.0


# Of SXM GPUs without a process: of the power limit, and of Hopper's for its memory.
_IDLE_SHARES: dict[Generation, float] = {"Ampere": 0.126, "Blackwell": 0.155}
_IDLE_WATTS_PER_MIB = 0.0001


def idle_share(gpu: Gpu) -> float:
    """Share of its power limit that the GPU draws while no process uses it, 0..1.

    H100 67-76 of 700 W, H200, which has more memory, 73-79; A100 49-52 of 400 W, B200 136-195 of
    1000 W. GeForce cards in P8: RTX 4090 21 of 450 W, 5060 Ti 10 of 180 W, 3060 4 of 170 W.
    """
    if gpu.form == "geforce":
        return 0.05
    if gpu.form != "sxm":
        return 0.105
    if generation(gpu) == "Hopper":
        return 0.0885 + _IDLE_WATTS_PER_MIB * gpu.memory_mib / gpu.tdp_watts
    return _IDLE_SHARES.get(generation(gpu), 0.105)


def dollars_per_hour(gpu: Gpu) -> float:
    """About what a cloud asks for the GPU: 3.5 dollars an hour for a kilowatt of its limit.

    H100 2.5, A100 1.4, B200 3.5 dollars; a GeForce a quarter of that, RTX 4090 0.4. Fitted to the
    lists of several clouds of 2025, which differ by half.
    """
    return 0.0035 * gpu.tdp_watts * (0.25 if gpu.form == "geforce" else 1.0)


def highest_power(gpu: Gpu) -> float:
    """The highest reading of its power, as a share of the limit: an A100's goes up to 440 of 400 W
    in 5 to 10 % of the samples, later controls let pass 3 %.
    """
    return 1.10 if generation(gpu) == "Ampere" and gpu.form == "sxm" else 1.03


def cooling(gpu: Gpu) -> float:
    """A factor: by how much the GPU heats up over the air at full power, where an SXM GPU is 1.

    Racks are cooled with liquid; a card in a PCIe slot gets less air. A workstation card blows its
    heat out of the machine with one small fan.
    """
    if is_rack(gpu):
        return 0.72
    if gpu.form == "workstation":
        return 1.4
    return 1.0 if has_fast_link(gpu) else 1.15


class Warming(NamedTuple):
    """How many degrees C a card is above the air: min(quiet x d, least + slope x d), where d is how
    many it would be above the air if its fan turned at one speed.
    """

    quiet: float  # while the fan turns at its lowest speed
    least: float
    slope: float  # below 1: a fan that turns faster as the card gets warmer


# Tables of docs/physics.md, section 9: a GeForce has 60 to 72 C at 0.7 of its limit, and 62 to 77 C
# at its limit; an RTX A6000 has 59 and 75 C at 0.68 of its limit, and 85 C at it.
_WARMINGS = {"geforce": Warming(1.5, 19.0, 0.5), "workstation": Warming(1.5, 22.0, 0.5)}


def warming(gpu: Gpu) -> Warming:
    """How a card's own fan evens out its temperature; the fans of a chassis do not."""
    return _WARMINGS.get(gpu.form, Warming(1.0, 0.0, 1.0))


# --- precisions --------------------------------------------------------------------------

# The first generations whose matrix units multiply in fp8, and in blocks of it with scales of their
# own (MXFP8). Of TPUs v7x has fp8.
_FP8 = ("Ada", "Hopper", "Blackwell", "Blackwell Ultra", "CDNA 3", "CDNA 4")
_MXFP8 = ("Blackwell", "Blackwell Ultra", "CDNA 4")
_FP8_TPU = "v7x"


def multiplies(gpu: Gpu, precision: str) -> bool:
    """Whether the GPU has matrix units for bf16, fp16, fp8 or mxfp8.

    TPUs have no fp16. Transformer Engine has MXFP8 for data centers' Blackwell, not for GeForce.
    """
    tpu = vendor(gpu) == "Google"
    if precision == "fp8":
        return _FP8_TPU in gpu.name if tpu else generation(gpu) in _FP8
    if precision == "mxfp8":
        return generation(gpu) in _MXFP8 and has_hbm(gpu)
    return precision == "bf16" or not tpu


def first_precision(precision: str) -> str:
    """Which GPUs have matrix units for a precision, in words."""
    return {
        "fp8": "fp8 came with Ada, Hopper, MI300 and TPU v7x",
        "mxfp8": "mxfp8 came with B200 and MI350",
        "fp16": "TPUs have bf16 and float32 alone",
        "bf16": "every GPU has it",
    }[precision]


# --- software ----------------------------------------------------------------------------


def _is_blackwell(gpu: Gpu) -> bool:
    return generation(gpu) in ("Blackwell", "Blackwell Ultra")


def runs_rocm(gpu: Gpu) -> bool:
    """Whether PyTorch uses ROCm and RCCL on this GPU instead of CUDA and NCCL."""
    return vendor(gpu) == "AMD"


def first_cuda(gpu: Gpu) -> tuple[int, int]:
    """The first CUDA version that knows the GPU: (12, 8) for Blackwell, (0, 0) if every one
    does.
    """
    return (12, 8) if _is_blackwell(gpu) else (0, 0)


def first_driver(gpu: Gpu) -> int:
    """The first branch of NVIDIA's driver that knows the GPU: 580 for Blackwell Ultra, 0 for
    any.
    """
    return 580 if generation(gpu) == "Blackwell Ultra" else 0


def first_rocm(gpu: Gpu) -> tuple[int, int]:
    """The first ROCm that knows the GPU (AMD's compatibility matrix): CDNA 4 came with ROCm 7."""
    return (7, 0) if generation(gpu) == "CDNA 4" else (0, 0)


# --- what nvidia-smi says ----------------------------------------------------------------


def has_hbm(gpu: Gpu) -> bool:
    """Whether its memory is HBM; else it is GDDR."""
    if gpu.form in ("geforce", "workstation"):
        return False
    return gpu.hbm_tb_s > (_GDDR7_TB_S if _is_blackwell(gpu) else _GDDR6_TB_S)


def has_mig(gpu: Gpu) -> bool:
    """Whether MIG can cut the GPU into instances: GPUs with HBM since A100, and Blackwell's PRO."""
    return has_hbm(gpu) or (_is_blackwell(gpu) and gpu.form != "geforce")


def ecc(gpu: Gpu) -> str:
    """What nvidia-smi shows under "Uncorr. ECC": errors since the last reset, or why none are
    counted.

    Workstation cards and the RTX 4090 can correct errors and are shipped with it off.
    """
    if gpu.form == "workstation":
        return "Off"
    if gpu.form == "geforce":
        return "Off" if generation(gpu) == "Ada" else "N/A"
    return "0"


def counts_errors(gpu: Gpu) -> bool:
    """Whether its memory counts errors: ECC is there, and on."""
    return ecc(gpu) == "0"


def remaps_rows(gpu: Gpu) -> bool:
    """Whether spare rows of its memory can take a bad row's place; without ECC there are none.

    An RTX 4080 SUPER has `Remapped Rows : N/A` (a capture of nvidia_gpu_exporter, driver 595.71),
    and so has an RTX 5090, whose ECC mode is N/A (thamada/nvidia-smi, driver 570.124). An RTX 4090
    has rows, although its ECC is disabled: 0, 0, No, No and 192 banks (leptonai/gpud at 2175d7d3,
    a capture with driver 535.154), and NVML answers as well (gpud's pull request 351).
    """
    return ecc(gpu) != "N/A"


def has_serial(gpu: Gpu) -> bool:
    """Whether its board has a serial number; a GeForce's has none (the same capture)."""
    return gpu.form != "geforce"


# Degrees C above which a card's fan turns faster than at its lowest speed, and per cent for each
# degree: RTX 4090 0 % at 24 to 49 C in P8, 30 % at 35 and 49 C in P0, 68 and 69 % at 72 C and
# 310 W; RTX A6000 30 % at 59 C and 204 W (public tables of nvidia-smi).
_FAN_RISES = {"geforce": 50, "workstation": 60}
_FAN_LOWEST, _FAN_SLOPE, _FAN_STOPS = 30, 1.75, 50


def has_fan(gpu: Gpu) -> bool:
    """Whether the card has a fan of its own; else the chassis has the fans."""
    return gpu.form in _FAN_RISES


def fan(gpu: Gpu, celsius: int, state: int) -> int | None:
    """Per cent of its highest speed at which a card's own fan turns, at a temperature and in a
    performance state; None where the chassis has the fans.

    A GeForce's stands still in P8 below 50 C. It turns from when the card has work on.
    """
    rises = _FAN_RISES.get(gpu.form)
    if rises is None:
        return None
    if gpu.form == "geforce" and state == 8 and celsius < _FAN_STOPS:
        return 0
    return min(100, round(_FAN_LOWEST + _FAN_SLOPE * max(0, celsius - rises)))


def idle_state(gpu: Gpu) -> str:
    """The performance state when nothing runs: cards with GDDR go down to P8, HBM does not."""
    return "P0" if has_hbm(gpu) else "P8"


# --- gauges ------------------------------------------------------------------------------


def peak_clock_mhz(gpu: Gpu) -> float:
    """The SM clock at which the data sheet counts its peak: Hopper's 989 TFLOP/s at 1,830."""
    return gpu.clock_mhz * (1830 / 1980 if generation(gpu) == "Hopper" else 1.0)


def reserved_mib(gpu: Gpu) -> int:
    """Memory that the driver keeps for itself: H100 479 of 81,559 MiB, H200 614 of 143,771."""
    return round(302 + 0.00217 * gpu.memory_mib)


# Degrees C of an H100 SXM, as `nvidia-smi -q` of a public capture has them (driver 565: 30 C with a
# margin of 57 C, slowdown at -2 C, shutdown at -8 C): from the first on the driver lowers clocks,
# from the second the hardware, at the third it is off. Driver 525 printed 92 C for the third.
MAX_OPERATING_C, SLOWDOWN_C, SHUTDOWN_C = 87, 89, 95
