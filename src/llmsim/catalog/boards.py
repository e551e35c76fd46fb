"""What stands on a GPU's board: numbers that nvidia-smi reads from it.

Device ids are from the PCI ID repository; parts, firmware and limits of H100, A100, L40S and
GeForce boards are from public captures of nvidia-smi. A GPU that is not listed has the numbers of
its generation, with the device id of that generation's first board.
"""

from llmsim.catalog import gpus
from llmsim.catalog.power_limits import unlimited
from llmsim.catalog.records import Gpu
from llmsim.typed import NamedTuple


class Board(NamedTuple):
    """The board of a GPU."""

    brand: str  # as nvidia-smi names it: "NVIDIA", "GeForce"
    architecture: str
    device: str  # PCI device id: "2330"
    subsystem: str  # PCI id of the board: "16C1"
    part: str  # the board's part number
    chip: str  # the GPU's own: "2330-885-A1"
    vbios: str
    image: str  # version of the information ROM
    ecc_object: str
    capability: tuple[int, int]  # compute capability
    least_watts: int  # the lowest power limit that can be set
    usual_watts: int  # the power limit that nobody has set, which is the highest
    video_mhz: int  # highest clock of the video engines
    banks: int  # memory banks whose rows can be remapped
    links: int  # NVLinks; 0 without NVLink
    link_gb_s: float  # of one link, one direction, as nvidia-smi nvlink prints it


_DEVICES = {
    "A100-SXM4-40GB": "20B0", "A100-SXM4-80GB": "20B2", "A100-PCIE-40GB": "20F1",
    "A100 80GB PCIe": "20B5", "A800-SXM4-80GB": "20F3", "A40": "2235", "A10G": "2237",
    "RTX A6000": "2230", "GeForce RTX 3090": "2204", "L40": "26B5", "L40S": "26B9",
    "RTX 6000 Ada Generation": "26B1", "GeForce RTX 4090": "2684", "H100 80GB HBM3": "2330",
    "H100 PCIe": "2331", "H100 NVL": "2321", "H800": "2324", "H20": "2329", "H20-3e": "232C",
    "H200": "2335", "H200 NVL": "233B", "GH200 120GB": "2342", "B200": "2901",
    "B300 SXM6 AC": "3182", "GB200": "2941", "GB300": "31C2",
    "RTX PRO 6000 Blackwell Server Edition": "2BB5", "GeForce RTX 5090": "2B85",
}  # fmt: skip

# Per generation: subsystem, part, the chip's suffix, VBIOS, image, ECC object, capability with HBM
# and without it, video clock, and of each NVLink its rate and what of it carries data, GB/s.
_GENERATIONS: dict[gpus.Generation, tuple[str, str, str, str, str, str, tuple[int, int],
                                          tuple[int, int], int, float, float]] = {
    "Ampere": ("147F", "692-2G506-0212-002", "895-A1", "92.00.36.00.02", "G506.0212.00.01",
               "6.16", (8, 0), (8, 6), 1290, 25.0, 25.0),
    "Ada": ("1851", "900-2G133-0080-000", "896-A1", "95.02.66.00.02", "G133.0242.00.03",
            "6.16", (8, 9), (8, 9), 1965, 25.0, 25.0),
    "Hopper": ("16C1", "692-2G520-0200-000", "885-A1", "96.00.A5.00.01", "G520.0200.00.05",
               "7.16", (9, 0), (9, 0), 1545, 26.562, 25.0),
    "Blackwell": ("1999", "692-2G525-0220-000", "886-A1", "97.00.82.00.0F", "G525.0220.00.03",
                  "7.16", (10, 0), (12, 0), 1545, 53.125, 50.0),
    "Blackwell Ultra": ("20DC", "692-2G526-0220-000", "886-A1", "97.10.39.00.0E",
                        "G526.0220.00.01", "7.16", (10, 3), (10, 3), 1545, 53.125, 50.0),
}  # fmt: skip


class Clocks(NamedTuple):
    """Clocks that the driver has of a GPU, MHz."""

    top: int  # the highest that its multiprocessors can be asked for
    memory: int  # of the memory at work
    idle: int  # of the multiprocessors without a process
    idle_memory: int


# Highest clock of the multiprocessors and clock of the memory, MHz, as `nvidia-smi -q` calls them
# under "Max Clocks". A card with GDDR works below the first one (data/llm_gpus.txt says where),
# since its voltage or its power ends before. The second one, doubled, times the width of the bus
# is the bandwidth of the data sheet: 10,501 MHz x 2 x 384 bits are 1,008 GB/s.
#
# Sources, captures of nvidia-smi or deviceQuery. A40: thamada/nvidia-smi. RTX A6000: mrirecon/bart,
# issue 323. RTX 4090: NVIDIA/nvbench, pull request 207. RTX 5090: NVIDIA/open-gpu-kernel-modules,
# issue 1266. A100 with 40 GB: NVIDIA/nvidia-docker, issue 1648. H100 and H200:
# utkuozdemir/nvidia_gpu_exporter. The others are of public repositories; boards of an RTX 3090
# have 2,100 to 2,130 MHz. Of L40, A800, H800, H20 and GB300 no capture was found: they have the
# clocks of the same chip with the same bandwidth, and GB300 the highest clock that it has at work.
_CLOCKS = {
    "A100-SXM4-40GB": (1410, 1215), "A100-SXM4-80GB": (1410, 1593),
    "A100-PCIE-40GB": (1410, 1215), "A100 80GB PCIe": (1410, 1512),
    "A800-SXM4-80GB": (1410, 1593), "A40": (1740, 7251), "A10G": (1710, 6251),
    "RTX A6000": (2100, 8001), "GeForce RTX 3090": (2115, 9751), "L40": (2520, 9001),
    "L40S": (2520, 9001), "RTX 6000 Ada Generation": (3105, 10001),
    "GeForce RTX 4090": (3105, 10501), "H100 80GB HBM3": (1980, 2619), "H100 PCIe": (1755, 1593),
    "H100 NVL": (1785, 2619), "H800": (1980, 2619), "H20": (1980, 2619), "H20-3e": (1980, 3201),
    "H200": (1980, 3201), "H200 NVL": (1785, 3201), "GH200 120GB": (1980, 2619),
    "B200": (1965, 3996), "B300 SXM6 AC": (2032, 3996), "GB200": (2062, 3996),
    "GB300": (1920, 3996), "RTX PRO 6000 Blackwell Server Edition": (2430, 12481),
    "GeForce RTX 5090": (3090, 14001),
}  # fmt: skip
_USUAL_HBM: dict[gpus.Generation, int] = {"Ampere": 1593, "Hopper": 2619}
_USUAL_GDDR: dict[gpus.Generation, int] = {"Blackwell": 14001}
# The same captures, without a process: H100 and H200 345 MHz, B200 and GB200 120, cards of Ampere
# and Ada 210 and of Blackwell 180. In P8 the memory of every card has 405 MHz; HBM keeps its clock.
_IDLE: dict[gpus.Generation, int] = {"Ampere": 210, "Ada": 210, "Hopper": 345}
_IDLE_BLACKWELL_HBM, _IDLE_BLACKWELL, _IDLE_GDDR = 120, 180, 405


def clocks(gpu: Gpu) -> Clocks:
    """The clocks of a GPU; a GPU that is not listed has the clocks of its generation."""
    generation, with_hbm = gpus.generation(gpu), gpus.has_hbm(gpu)
    usual = _USUAL_HBM.get(generation, 3996) if with_hbm else _USUAL_GDDR.get(generation, 9001)
    top, memory = _CLOCKS.get(gpus.short_name(gpu), (unlimited(gpu).clock_mhz, usual))
    idle = _IDLE.get(generation, _IDLE_BLACKWELL_HBM if with_hbm else _IDLE_BLACKWELL)
    if not gpus.is_nvidia(gpu):
        idle = 345 if gpu.clock_mhz > 1900 else 210
    rests = gpus.idle_state(gpu) == "P8"
    return Clocks(top, memory, idle, _IDLE_GDDR if rests else memory)


def board(gpu: Gpu) -> Board:
    """The board of one of NVIDIA's GPUs. Raises KeyError for other vendors'."""
    usual = unlimited(gpu)
    generation = gpus.generation(gpu)
    row = _GENERATIONS[generation]
    with_hbm = gpus.has_hbm(gpu)
    device = _DEVICES.get(gpus.short_name(gpu), _first_device(generation))
    consumer = gpu.form == "geforce"
    brands = {"geforce": "GeForce", "workstation": "NVIDIA RTX"}
    return Board(
        brand=brands.get(gpu.form, "NVIDIA"),
        architecture={"Ada": "Ada Lovelace"}.get(generation, generation.partition(" ")[0]),
        device=device,
        subsystem=row[0],
        part="N/A" if consumer else row[1],
        chip=f"{device}-{row[2]}",
        vbios=row[3],
        image=row[4],
        ecc_object=row[5],
        capability=row[6] if with_hbm else row[7],
        least_watts=_least_watts(usual),
        usual_watts=usual.tdp_watts,
        video_mhz=row[8],
        # 2,560 banks of 80 GB of HBM3, 192 of 48 GB of GDDR6 with ECC.
        banks=(2560 if generation != "Ampere" else 640) if with_hbm else 192,
        # H100 18 links, A100 12; H800 and A800 have 8 of the same rate.
        links=round(gpu.link_gb_s / row[10]) if gpus.has_fast_link(gpu) else 0,
        link_gb_s=row[9],
    )


def _first_device(generation: gpus.Generation) -> str:
    first = {"Ampere": "20B2", "Ada": "26B9", "Hopper": "2330", "Blackwell": "2901"}
    return first.get(generation, "3182")


def _least_watts(gpu: Gpu) -> int:
    """The lowest power limit: H100 200 of 700 W, A100 100 of 400 W, L40S 100 of 350 W, a GeForce
    a third of its limit.
    """
    if gpu.form == "geforce":
        return round(gpu.tdp_watts / 3 / 10) * 10
    return 200 if gpu.tdp_watts >= 500 else 100


def has_profiling(gpu: Gpu) -> bool:
    """Whether DCGM's profiling module works on a GPU: of GeForce cards, Blackwell's are the first.

    Source: NVIDIA's answers in NVIDIA/DCGM, issue 234, and NVIDIA/dcgm-exporter, issues 294 and 404
    (GeForce), and 5 (workstation cards). The exporter skips the fields ("Not collecting DCP
    metrics").
    """
    return gpu.form != "geforce" or gpus.generation(gpu) not in ("Ampere", "Ada")
