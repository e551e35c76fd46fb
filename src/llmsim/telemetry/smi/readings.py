"""What a report says of a GPU's gauges: clocks, memory, errors, temperature and power."""

from llmsim.catalog import gpus as catalog
from llmsim.physics.hardware.gauges import Gauges
from llmsim.telemetry.smi import node as of
from llmsim.telemetry.smi.node import NOT_AVAILABLE, Node
from llmsim.telemetry.smi.tree import DEPRECATED, NONE, Branch, Leaf, Section, asked, pair


def readings(node: Node, gauges: Gauges) -> tuple[Branch, ...]:
    """The branches of all that moves, in the order of a report."""
    return (
        *_performance(node, gauges),
        *_memory(node, gauges),
        *_engines(node, gauges),
        *_errors(node, gauges),
        _temperature(node, gauges),
        Section("", "supported_gpu_target_temp", (
            Leaf("", "gpu_target_temp_min"), Leaf("", "gpu_target_temp_max"))),
        *_power(node, gauges),
        *_clocks(node, gauges),
        _fabric(node, gauges),
        _supported(node),
    )  # fmt: skip


def _performance(node: Node, gauges: Gauges) -> tuple[Branch, ...]:
    def reason(label: str, name: str) -> Leaf:
        value = asked(node, gauges, f"clocks_event_reasons.{name}")
        return Leaf(label, f"clocks_event_reason_{name}", value)

    def counter(label: str, name: str, tag: str) -> Leaf:
        value = asked(node, gauges, f"clocks_event_reasons_counters.{name}")
        return Leaf(label, f"clocks_event_reasons_counters_{tag}", value)

    fan = asked(node, gauges, "fan.speed")
    return (
        Leaf("Fan Speed", "fan_speed", fan.replace("N/A %", NONE)),
        Leaf("Performance State", "performance_state", f"P{gauges.performance_state}"),
        Section("Clocks Event Reasons", "clocks_event_reasons", (
            reason("Idle", "gpu_idle"),
            reason("Applications Clocks Setting", "applications_clocks_setting"),
            reason("SW Power Cap", "sw_power_cap"),
            reason("HW Slowdown", "hw_slowdown"),
            reason("    HW Thermal Slowdown", "hw_thermal_slowdown"),
            reason("    HW Power Brake Slowdown", "hw_power_brake_slowdown"),
            reason("Sync Boost", "sync_boost"),
            reason("SW Thermal Slowdown", "sw_thermal_slowdown"),
            Leaf("Display Clock Setting", "clocks_event_reason_display_clocks_setting",
                 "Not Active"),
        )),
        Section("Clocks Event Reasons Counters", "clocks_event_reasons_counters", (
            counter("SW Power Capping", "sw_power_cap", "sw_power_cap"),
            counter("Sync Boost", "sync_boost", "sync_boost"),
            counter("SW Thermal Slowdown", "sw_thermal_slowdown", "sw_therm_slowdown"),
            counter("HW Thermal Slowdown", "hw_thermal_slowdown", "hw_therm_slowdown"),
            counter("HW Power Braking", "hw_power_brake_slowdown", "hw_power_brake"),
        )),
        Leaf("Sparse Operation Mode", "sparse_operation_mode",
             "Disabled" if catalog.has_hbm(node.job.gpu) else NONE),
    )  # fmt: skip


def _mib(total: int, used: int) -> tuple[Leaf, ...]:
    return (
        Leaf("Total", "total", f"{total} MiB"),
        Leaf("Used", "used", f"{used} MiB"),
        Leaf("Free", "free", f"{total - used} MiB"),
    )


def bar1_mib(total_mib: int) -> int:
    """The window of the host onto a GPU's memory, MiB: the next power of two that holds it."""
    return 1 << (total_mib - 1).bit_length()


def _memory(node: Node, gauges: Gauges) -> tuple[Branch, ...]:
    return (
        Section("FB Memory Usage", "fb_memory_usage", (
            Leaf("Total", "total", f"{gauges.total_mib} MiB"),
            Leaf("Reserved", "reserved", f"{gauges.reserved_mib} MiB"),
            Leaf("Used", "used", f"{gauges.used_mib} MiB"),
            Leaf("Free", "free", f"{gauges.free_mib} MiB"),
        )),
        Section("BAR1 Memory Usage", "bar1_memory_usage",
                _mib(bar1_mib(node.job.gpu.memory_mib), gauges.used_mib + 1)),
        Section("Conf Compute Protected Memory Usage", "cc_protected_memory_usage", _mib(0, 0)),
        Leaf("Compute Mode", "compute_mode", "Default"),
    )  # fmt: skip


def _engines(node: Node, gauges: Gauges) -> tuple[Branch, ...]:
    sessions = (
        Leaf("Active Sessions", "session_count", 0),
        Leaf("Average FPS", "average_fps", 0),
        Leaf("Average Latency", "average_latency", 0),
    )
    idle = (("Encoder", "encoder_util"), ("Decoder", "decoder_util"), ("JPEG", "jpeg_util"),
            ("OFA", "ofa_util"))  # fmt: skip
    return (
        Section("Utilization", "utilization", (
            Leaf("GPU", "gpu_util", f"{gauges.utilization_percent} %"),
            Leaf("Memory", "memory_util", f"{gauges.memory_utilization_percent} %"),
            *(Leaf(label, tag, "0 %") for label, tag in idle),
        )),
        Section("Encoder Stats", "encoder_stats", sessions),
        Section("FBC Stats", "fbc_stats", sessions),
        pair("DRAM Encryption Mode", "dram_encryption_mode", "current_dram_encryption",
              "pending_dram_encryption"),
        pair("ECC Mode", "ecc_mode", "current_ecc", "pending_ecc",
              asked(node, gauges, "ecc.mode.current")),
    )  # fmt: skip


def _errors(node: Node, gauges: Gauges) -> tuple[Branch, ...]:
    def counted(name: str) -> object:
        return asked(node, gauges, f"ecc.errors.{name}.dram")

    none = "0" if counted("corrected.volatile") != NONE else NONE
    volatile, aggregate = (
        (
            Leaf("SRAM Correctable", "sram_correctable", none),
            Leaf("SRAM Uncorrectable Parity", "sram_uncorrectable_parity", none),
            Leaf("SRAM Uncorrectable SEC-DED", "sram_uncorrectable_secded", none),
            Leaf("DRAM Correctable", "dram_correctable", counted(f"corrected.{span}")),
            Leaf("DRAM Uncorrectable", "dram_uncorrectable", counted(f"uncorrected.{span}")),
        )
        for span in ("volatile", "aggregate")
    )
    sources = (("SRAM L2", "sram_l2"), ("SRAM SM", "sram_sm"),
               ("SRAM Microcontroller", "sram_microcontroller"), ("SRAM PCIE", "sram_pcie"),
               ("SRAM Other", "sram_other"))  # fmt: skip
    no = "No" if none != NONE else NONE
    retired = (Leaf("", "retired_count"), Leaf("", "retired_pagelist"))
    return (
        Section("ECC Errors", "ecc_errors", (
            Section("Volatile", "volatile", volatile),
            Section("Aggregate", "aggregate", (
                *aggregate, Leaf("SRAM Threshold Exceeded", "sram_threshold_exceeded", no))),
            Section("Aggregate Uncorrectable SRAM Sources", "aggregate_uncorrectable_sram_sources",
                    tuple(Leaf(label, tag, none) for label, tag in sources)),
            Leaf("Channel Repair Pending", "channel_repair_pending", "No"),
            Leaf("TPC Repair Pending", "tpc_repair_pending", "No"),
            Leaf("Unrepairable Memory", "unrepairable_memory", no),
        )),
        Section("Retired Pages", "retired_pages", (
            Leaf("Single Bit ECC", ""),
            Leaf("Double Bit ECC", ""),
            Section("", "multiple_single_bit_retirement", retired),
            Section("", "double_bit_retirement", retired),
            Leaf("Pending Page Blacklist", "pending_blacklist"),
            Leaf("", "pending_retirement"),
        )),
        _rows(node, gauges),
    )  # fmt: skip


def _rows(node: Node, gauges: Gauges) -> Section:
    """The rows of the memory that spare ones stand in for."""
    if not catalog.remaps_rows(node.job.gpu):
        return Section("Remapped Rows", "remapped_rows", (), NONE)
    remapped = gauges.remapped_rows
    histogram = (("Max", of.board_of(node).banks - remapped), ("High", remapped), ("Partial", 0),
                 ("Low", 0), ("None", 0))  # fmt: skip
    return Section("Remapped Rows", "remapped_rows", (
        Leaf("Correctable Error", "remapped_row_corr", 0),
        Leaf("Uncorrectable Error", "remapped_row_unc", remapped),
        Leaf("Pending", "remapped_row_pending", "Yes" if gauges.remap_pending else "No"),
        Leaf("Remapping Failure Occurred", "remapped_row_failure", "No"),
        Section("Bank Remap Availability Histogram", "row_remapper_histogram", tuple(
            Leaf(level, f"row_remapper_histogram_{level.lower()}", f"{banks} bank(s)")
            for level, banks in histogram)),
    ))  # fmt: skip


def _celsius(value: object) -> str:
    return f"{value} C" if value not in (NONE, NOT_AVAILABLE) else NONE


def _temperature(node: Node, gauges: Gauges) -> Section:
    memory = gauges.memory_temperature_c or NONE
    limit = asked(node, gauges, "temperature.gpu.tlimit")
    return Section("Temperature", "temperature", (
        Leaf("GPU Current Temp", "gpu_temp", _celsius(gauges.temperature_c)),
        Leaf("GPU T.Limit Temp", "gpu_temp_tlimit", _celsius(limit)),
        Leaf("GPU Shutdown T.Limit Temp", "gpu_temp_max_tlimit_threshold", "-8 C"),
        Leaf("GPU Slowdown T.Limit Temp", "gpu_temp_slow_tlimit_threshold", "-2 C"),
        Leaf("GPU Max Operating T.Limit Temp", "gpu_temp_max_gpu_tlimit_threshold", "0 C"),
        Leaf("GPU Target Temperature", "gpu_target_temperature"),
        Leaf("Memory Current Temp", "memory_temp", _celsius(memory)),
        Leaf("Memory Max Operating T.Limit Temp", "gpu_temp_max_mem_tlimit_threshold",
             "0 C" if memory != NONE else NONE),
    ))  # fmt: skip


def _power(node: Node, gauges: Gauges) -> tuple[Branch, ...]:
    drawn, limit = f"{gauges.power_watts:.2f} W", f"{node.job.gpu.tdp_watts:.2f} W"
    state = Leaf("", "power_state", DEPRECATED)
    draws = (("Average Power Draw", "average_power_draw"),
             ("Instantaneous Power Draw", "instant_power_draw"))  # fmt: skip
    limits = (("Current Power Limit", "current_power_limit"),
              ("Requested Power Limit", "requested_power_limit"))  # fmt: skip
    ends = (("Default Power Limit", "default_power_limit"),
            ("Min Power Limit", "min_power_limit"),
            ("Max Power Limit", "max_power_limit"))  # fmt: skip
    board = of.board_of(node)
    watts = (board.usual_watts, board.least_watts, board.usual_watts)
    values = tuple(f"{each:.2f} W" for each in watts)
    # HBM3 drew 86 of 630 W: 0.128 of what is above the idle power, and 11 W.
    memory = f"{11 + 0.128 * max(0.0, gauges.power_watts - 70):.2f} W"
    return (
        Section("GPU Power Readings", "gpu_power_readings", (
            state,
            *(Leaf(label, tag, drawn) for label, tag in draws),
            *(Leaf(label, tag, limit) for label, tag in limits),
            *(Leaf(label, tag, value)
              for (label, tag), value in zip(ends, values, strict=True)),
        )),
        # The text's label ends in a blank.
        Section("GPU Memory Power Readings ", "gpu_memory_power_readings", (
            Leaf(*draws[0], memory if catalog.has_hbm(node.job.gpu) else NONE),
            Leaf(*draws[1]),
        )),
        Section("Module Power Readings", "module_power_readings", (
            state, *(Leaf(label, tag) for label, tag in (*draws, *limits, *ends)))),
        Leaf("Power Smoothing", "power_smoothing"),
        Section("Workload Power Profiles", "power_profiles", (
            Leaf("Requested Profiles", "power_profile_requested_profiles"),
            Leaf("Enforced Profiles", "power_profile_enforced_profiles"),
        )),
        Leaf("EDPp Multiplier", "edpp_multiplier"),
    )  # fmt: skip


def _clocks(node: Node, gauges: Gauges) -> tuple[Branch, ...]:
    def all_of(*names: str) -> list[str]:
        return [asked(node, gauges, name) for name in names]

    labels = (("Graphics", "graphics_clock"), ("SM", "sm_clock"), ("Memory", "mem_clock"),
              ("Video", "video_clock"))  # fmt: skip
    now = all_of(*(f"clocks.current.{name}" for name in ("graphics", "sm", "memory", "video")))
    most = [*all_of(*(f"clocks.max.{name}" for name in ("graphics", "sm", "memory"))),
            f"{of.board_of(node).video_mhz} MHz"]  # fmt: skip
    old = (Leaf("Graphics", "graphics_clock", DEPRECATED), Leaf("Memory", "mem_clock", DEPRECATED))
    return (
        Section("Clocks", "clocks", tuple(
            Leaf(*label, value) for label, value in zip(labels, now, strict=True))),
        Section("Applications Clocks", "applications_clocks", old),
        Section("Default Applications Clocks", "default_applications_clocks", old),
        Section("Deferred Clocks", "deferred_clocks", (Leaf("Memory", "mem_clock"),)),
        Section("Max Clocks", "max_clocks", tuple(
            Leaf(*label, value) for label, value in zip(labels, most, strict=True))),
        Section("Max Customer Boost Clocks", "max_customer_boost_clocks",
                (Leaf("Graphics", "graphics_clock", most[0]),)),
        Section("Clock Policy", "clock_policy", (
            Leaf("Auto Boost", "auto_boost"), Leaf("Auto Boost Default", "auto_boost_default"))),
    )  # fmt: skip


def _fabric(node: Node, gauges: Gauges) -> Section:
    health = (("Summary", "summary"), ("Bandwidth", "bandwidth"),
              ("Route Recovery in progress", "route_recovery_in_progress"),
              ("Route Unhealthy", "route_unhealthy"),
              ("Access Timeout Recovery", "access_timeout_recovery"),
              ("Incorrect Configuration", "incorrect_configuration"))  # fmt: skip
    return Section("Fabric", "fabric", (
        Leaf("State", "state", asked(node, gauges, "fabric.state")),
        Leaf("Status", "status", asked(node, gauges, "fabric.status")),
        Leaf("CliqueId", "cliqueId", asked(node, gauges, "fabric.cliqueId")),
        Leaf("ClusterUUID", "clusterUuid", asked(node, gauges, "fabric.clusterUuid")),
        Section("Health", "health", tuple(Leaf(label, tag) for label, tag in health)),
    ))  # fmt: skip


def _supported(node: Node) -> Section:
    """The clocks that can be asked for."""
    clocks = of.supported_clocks(node)
    return Section("", "supported_clocks", (
        Section("", "supported_mem_clock", (
            Leaf("", "value", f"{of.clocks_of(node).memory} MHz"),
            *(Leaf("", "supported_graphics_clock", f"{clock} MHz") for clock in clocks),
        )),
    ))  # fmt: skip
