"""What differs between the pages of dcgm-exporter's releases: labels, defaults and help texts.

Read from the tags of NVIDIA/dcgm-exporter (templates of internal/pkg/rendermetrics and, before
4.0, pkg/dcgmexporter; etc/dcp-metrics-included.csv, which the GPU operator's chart takes). A tag
has two numbers: DCGM's, then the exporter's own, by which the table is sorted.
"""

from llmsim.errors import OptionError
from llmsim.typed import NamedTuple


class Version(NamedTuple):
    """One page layout, and the first release that has it."""

    tag: str  # of the newest release with this layout
    first: tuple[int, int, int]  # the exporter's own number of the first one
    uuid: str = "UUID"  # the label of the card's UUID
    host: str = "Hostname"  # the label of the node's name
    bus: bool = True  # pci_bus_id stands after the UUID (#326)
    codes: bool = True  # XID_ERRORS has err_code and err_msg (#309)
    reserved: bool = True  # FB_RESERVED is among the defaults
    clean: bool = True  # a GPU without an error shows XID 0; from DCGM 4.5 on nothing (#700)
    # The last error of a GPU that is lost goes with its other fields at the next reading; before
    # DCGM 4.0, whose cache manager looks for lost GPUs, it stayed.
    forgets: bool = True
    # From DCGM 3.3.8 on an Xid 119 in the kernel's log ends all its calls of the driver, until its
    # host engine is restarted: each field of each GPU of the node is blank.
    gives_up: bool = True
    pod_uid: bool = False  # a pod's labels have an empty pod_uid beside them (#531)
    nanoseconds: bool = True  # help texts of violations say ns; before #589 they said us
    percent: bool = False  # help texts of ratios end in "(in %)", although they are ratios
    health: bool = True  # DCGM_EXP_GPU_HEALTH_STATUS exists
    old_names: bool = False  # dcgm_gpu_temp for DCGM_FI_DEV_GPU_TEMP (flag -o and the 1.x list)


# From the newest layout back: each differs from the one after it in what is named here.
_NEXT = Version("next", (4, 9, 0), host="hostname", clean=False)
_4_8_2 = _NEXT._replace(tag="4.5.3-4.8.2", first=(4, 8, 2), host="Hostname")
_4_8_1 = _4_8_2._replace(tag="4.5.2-4.8.1", first=(4, 8, 0), pod_uid=True)
_4_7_1 = _4_8_1._replace(tag="4.4.2-4.7.1", first=(4, 7, 1), clean=True)
_4_6_0 = _4_7_1._replace(tag="4.4.1-4.6.0", first=(4, 6, 0), nanoseconds=False)
_4_5_2 = _4_6_0._replace(tag="4.4.1-4.5.2", first=(4, 5, 0), health=False)
_4_4_1 = _4_5_2._replace(tag="4.3.1-4.4.1", first=(4, 4, 0), pod_uid=False)
_4_3_0 = _4_4_1._replace(tag="4.2.3-4.3.0", first=(4, 0, 0), reserved=False)
_3_6_1 = _4_3_0._replace(tag="3.3.9-3.6.1", first=(3, 5, 0), forgets=False)
_3_4_2 = _3_6_1._replace(tag="3.3.6-3.4.2", first=(3, 4, 2), bus=False, percent=True,
                         gives_up=False)  # fmt: skip
_3_4_1 = _3_4_2._replace(tag="3.3.5-3.4.1", first=(2, 0, 0), codes=False)
_OLD = _3_4_1._replace(tag="old", first=(0, 0, 0), uuid="uuid", old_names=True)

VERSIONS = (
    _OLD, _3_4_1, _3_4_2, _3_6_1, _4_3_0, _4_4_1, _4_5_2, _4_6_0, _4_7_1, _4_8_1, _4_8_2, _NEXT,
)  # fmt: skip
DEFAULT = "4.8.2"
EXPECTED = "old, a release such as 3.6.1 or 4.5.3-4.8.2, or next"


def version_named(text: str) -> Version:
    """The layout of a release: "4.8.2", "4.5.3-4.8.2", "old" or "next".

    Raises OptionError, the part of the sentence after the option's name.
    """
    for version in VERSIONS:
        if text.lower() == version.tag:
            return version
    try:
        number = tuple(int(part) for part in text.rpartition("-")[2].split("."))
    except ValueError:
        number = ()
    if len(number) != 3 or not VERSIONS[1].first <= number <= _NEXT.first:
        raise OptionError(f"cannot be '{text}': give {EXPECTED}.")
    return [version for version in VERSIONS if version.first <= number][-1]
