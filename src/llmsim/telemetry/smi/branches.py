"""What a report says of a GPU: its board, its firmware and its place on the bus, and all gauges."""

from llmsim.catalog import gpus as catalog
from llmsim.physics.hardware.gauges import Gauges
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import Node
from llmsim.telemetry.smi.properties import generation
from llmsim.telemetry.smi.readings import readings
from llmsim.telemetry.smi.tree import DEPRECATED, NONE, Branch, Leaf, Section, asked, pair


def gpu_sections(node: Node, gauges: Gauges) -> tuple[Branch, ...]:
    """All that a report says of a GPU, but for its processes."""
    return (
        *_product(node),
        *_identity(node, gauges),
        *_firmware(node, gauges),
        _pci(node, gauges),
        *readings(node, gauges),
    )


def _product(node: Node) -> tuple[Branch, ...]:
    gpu = node.job.gpu
    board = of.board_of(node)
    mig = "Disabled" if catalog.has_mig(gpu) else NONE
    return (
        Leaf("Product Name", "product_name", gpu.name),
        Leaf("Product Brand", "product_brand", board.brand),
        Leaf("Product Architecture", "product_architecture", board.architecture),
        Leaf("Display Mode", "display_mode", DEPRECATED),
        Leaf("Display Attached", "display_attached", "No"),
        Leaf("Display Active", "display_active", "Disabled"),
        Leaf("Persistence Mode", "persistence_mode", "Enabled"),
        Leaf("Addressing Mode", "addressing_mode", "None"),
        pair("MIG Mode", "mig_mode", "current_mig", "pending_mig", mig),
        Leaf("", "mig_devices", "None"),
        Leaf("Accounting Mode", "accounting_mode", "Disabled"),
        Leaf("Accounting Mode Buffer Size", "accounting_mode_buffer_size", 4000),
        pair("Driver Model", "driver_model", "current_dm", "pending_dm"),
    )  # fmt: skip


def _identity(node: Node, gauges: Gauges) -> tuple[Branch, ...]:
    board, number = of.board_of(node), of.local(node, gauges)
    bus = of.bus_id(node, gauges)
    platform = ("chassis_serial_number", "slot_number", "tray_index", "host_id", "peer_type")
    names = ("Chassis Serial Number", "Slot Number", "Tray Index", "Host ID", "Peer Type")
    return (
        Leaf("Serial Number", "serial", asked(node, gauges, "serial")),
        Leaf("GPU UUID", "uuid", of.uuid(node, gauges)),
        Leaf("GPU PDI", "pdi", "0x" + of.uuid(node, gauges)[4:].replace("-", "")[:16]),
        Leaf("Minor Number", "minor_number", number),
        Leaf("VBIOS Version", "vbios_version", board.vbios),
        Leaf("MultiGPU Board", "multigpu_board", "No"),
        Leaf("Board ID", "board_id", f"{int(bus[9:11] + bus[12:14], 16):#x}"),
        Leaf("Board Part Number", "board_part_number", board.part),
        Leaf("GPU Part Number", "gpu_part_number", board.chip),
        Leaf("FRU Part Number", "gpu_fru_part_number"),
        Section("Platform Info", "platformInfo", (
            *(Leaf(name, tag) for name, tag in zip(names, platform, strict=True)),
            Leaf("Module Id", "module_id", number + 1),
            Leaf("GPU Fabric GUID", "gpu_fabric_guid"),
        )),
    )  # fmt: skip


def _firmware(node: Node, gauges: Gauges) -> tuple[Branch, ...]:
    board = of.board_of(node)
    return (
        Section("Inforom Version", "inforom_version", (
            Leaf("Image Version", "img_version", board.image),
            Leaf("OEM Object", "oem_object", "2.1"),
            Leaf("ECC Object", "ecc_object", board.ecc_object),
            Leaf("Power Management Object", "pwr_object"),
        )),
        Section("Inforom BBX Object Flush", "inforom_bbx_flush", (
            Leaf("Latest Timestamp", "latest_timestamp"),
            Leaf("Latest Duration", "latest_duration"),
        )),
        pair("GPU Operation Mode", "gpu_operation_mode", "current_gom", "pending_gom"),
        Leaf("GPU C2C Mode", "c2c_mode", "Disabled" if board.links else NONE),
        Section("GPU Virtualization Mode", "gpu_virtualization_mode", (
            Leaf("Virtualization Mode", "virtualization_mode", "None"),
            Leaf("Host VGPU Mode", "host_vgpu_mode"),
            Leaf("vGPU Heterogeneous Mode", "vgpu_heterogeneous_mode"),
        )),
        Leaf("GPU Recovery Action", "gpu_recovery_action",
             asked(node, gauges, "gpu_recovery_action")),
        Leaf("GSP Firmware Version", "gsp_firmware_version", of.driver(node)),
        Section("IBMNPU", "ibmnpu", (Leaf("Relaxed Ordering Mode", "relaxed_ordering_mode"),)),
    )  # fmt: skip


def _pci(node: Node, gauges: Gauges) -> Section:
    board, bus, speed = of.board_of(node), of.bus_id(node, gauges), generation(node)
    links = (("Max", "max_link_gen"), ("Current", "current_link_gen"),
             ("Device Current", "device_current_link_gen"), ("Device Max", "max_device_link_gen"),
             ("Host Max", "max_host_link_gen"))  # fmt: skip
    sent = gauges.pcie_sent_bytes_per_second // 1000
    received = gauges.pcie_received_bytes_per_second // 1000
    return Section("PCI", "pci", (
        Leaf("Bus", "pci_bus", f"0x{bus[9:11]}", bus[9:11]),
        Leaf("Device", "pci_device", f"0x{bus[12:14]}", bus[12:14]),
        Leaf("Domain", "pci_domain", f"0x{bus[4:8]}", bus[4:8]),
        Leaf("Base Classcode", "pci_base_class", "0x3", "3"),
        Leaf("Sub Classcode", "pci_sub_class", "0x2", "2"),
        Leaf("Device Id", "pci_device_id", f"0x{board.device}10DE", f"{board.device}10DE"),
        Leaf("Bus Id", "pci_bus_id", bus),
        Leaf("Sub System Id", "pci_sub_system_id", f"0x{board.subsystem}10DE",
             f"{board.subsystem}10DE"),
        Section("GPU Link Info", "pci_gpu_link_info", (
            Section("PCIe Generation", "pcie_gen",
                    tuple(Leaf(label, tag, speed) for label, tag in links)),
            Section("Link Width", "link_widths", (
                Leaf("Max", "max_link_width", "16x"),
                Leaf("Current", "current_link_width", "16x"))),
        )),
        Section("Bridge Chip", "pci_bridge_chip", (
            Leaf("Type", "bridge_chip_type"), Leaf("Firmware", "bridge_chip_fw"))),
        Leaf("Replays Since Reset", "replay_counter", gauges.pcie_replays),
        Leaf("Replay Number Rollovers", "replay_rollover_counter", 0),
        Leaf("Tx Throughput", "tx_util", f"{sent} KB/s"),
        Leaf("Rx Throughput", "rx_util", f"{received} KB/s"),
        Leaf("Atomic Caps Outbound", "atomic_caps_outbound"),
        Leaf("Atomic Caps Inbound", "atomic_caps_inbound"),
    ))  # fmt: skip
