"""NCCL's lines, against formats written down from its source and from real logs."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmsim.catalog.records import releases
from llmsim.dialects.parts.nccl import info
from llmsim.dialects.parts.nccl.graph import binary_tree, double_tree
from llmsim.job.records import Job, gpus_per_node, speaking_node
from tests.dialects.logs import in_order, unmatched
from tests.runs import job_of

PREFIX = r"[\w-]+:\d+:\d+ \[\d+\] NCCL INFO "
COMM = (
    r"(ncclCommInitRankConfig )?comm 0x[\da-f]+ rank \d+ nranks \d+ cudaDev \d+ nvmlDev \d+ "
    r"busId [\da-f]+ commId 0x[\da-f]+"
)
TORN = COMM.removesuffix(r"[\da-f]+ commId 0x[\da-f]+") + r"[\da-f]+"  # ends in the bus
SECONDS = r"\d+\.\d\d"
TEXTS = (
    r"cudaDriverVersion \d+",
    r"Bootstrap ?: Using \w+:\d+\.\d+\.\d+\.\d+<0>",
    r"(NCCL|RCCL) version .*",
    r"NET/Plugin: (Could not find: libnccl-net\.so\. |No plugin found.*)",
    r"NET/IB : Using (\[\d+\]mlx5_\d+:1/(IB|RoCE) )+\[RO\]; OOB \w+:[\d.]+<0>",
    r"NET/Socket : Using \[0\]\w+:[\d.]+<0>",
    r"(Initialized NET plugin|Using network) (IB|Socket)",
    r"Assigned NET plugin (IB|Socket) to comm",
    r"DMA-BUF is available on GPU device \d+",
    rf"(\[Rank \d+\] )?{COMM} - Init (START|COMPLETE)",
    r"Setting affinity for GPU \d+ to [\da-f,-]+(\. \(GPU affinity = .* ; CPU affinity = .*\)\.)?",
    r"NVLS multicast support is available on dev \d+( \(NVLS_NCHANNELS \d+\))?",
    r"comm 0x[\da-f]+ rank \d+ nRanks \d+ nNodes \d+ localRanks \d+ localRank \d+ MNNVL 0",
    r"Channel \d\d/\d\d :( +\d+)+(\.\.\.)?",
    r"Channel \d\d/\d\d : .*\.\.\.",
    r"Trees( \[\d+\] -?\d+/-?\d+/-?\d+->\d+->-?\d+)+",
    r"P2P Chunksize set to \d+",
    r"NVLS Head [ \d]\d:( *\d+)+",
    r"(PROFILER|TUNER)/Plugin: Could not find: libnccl-(profiler|tuner)\.so\.?",
    r"Check P2P Type isAllDirectP2p 1 directMode 0 isAllCudaP2p 1",
    r"\[Proxy Service( UDS)?\] Device \d+ CPU core \d+",
    r"Channel \d\d/\d : \d+\[\d+\] -> \d+\[\d+\] via (P2P/CUMEM|P2P/IPC|P2P/direct pointer)",
    r"Channel \d\d/\d : \d+\[\d+\] -> \d+\[\d+\] via SHM/direct/direct",
    (
        r"Channel \d\d/\d : \d+\[\d+\] -> \d+\[\d+\] \[(send|receive)\] via "
        r"NET/(IB/\d+(\(\d+\))?/GDRDMA|Socket/\d+)"
    ),
    r"Connected all (rings(, use ring PXN 0 GDR [01])?|trees)",
    r"NVLS comm 0x[\da-f]+ headRank \d+ nHeads \d+ .*nvlsPerRankSize \d+ nvlsTotalSize \d+",
    r"Connected NVLS tree",
    r"threadThresholds \d+/\d+/\d+ \| \d+/\d+/\d+ \| \d+ \| \d+",
    (
        r"\d+ coll channels, (\d+ collnet channels, )?\d+ nvls channels, \d+ p2p channels, "
        r"\d+ p2p channels per peer"
    ),
    r"CC Off, workFifoBytes \d+",
    (
        r"Init timings( - ncclCommInitRankConfig)?: rank \d+ nranks \d+ total (?P<total>S) "
        r"\((?P<parts>kernels S,( alloc S,)? bootstrap S, allgathers S, topo S, graphs S, "
        r"connections S, rest S)\)"
    ).replace("S", SECONDS),
)
PATTERNS = (
    r"NCCL version \d+\.\d+\.\d+\+cuda\d+\.\d+",
    r"RCCL version .*",
    *(PREFIX + text for text in TEXTS),
    PREFIX + TORN + PREFIX + f"({'|'.join(re.sub(r'[?]P<.+?>', '', text) for text in TEXTS)})",
    r"000 commId 0x[\da-f]+ - Init COMPLETE",
)
ALL = [re.sub(r"\?P<\w+>", "", pattern) for pattern in PATTERNS]
TIMINGS = re.compile(PREFIX + TEXTS[-1])

REAL = """\
nf5688m7-1:422771:422771 [0] NCCL INFO Bootstrap : Using enx785ee8a015a1:10.59.6.30<0>
nf5688m7-1:422771:422771 [7] NCCL INFO cudaDriverVersion 12020
NCCL version 2.18.3+cuda12.2
nf5688m7-1:422771:422791 [5] NCCL INFO Using network Socket
nf5688m7-1:422771:422788 [2] NCCL INFO comm 0x5598478aaae0 rank 2 nranks 8 cudaDev 2 nvmlDev 2 busId 48000 commId 0xefdd95e4ad4062d9 - Init START
nf5688m7-1:422771:422790 [4] NCCL INFO NVLS multicast support is available on dev 4
nf5688m7-1:422771:422786 [0] NCCL INFO Channel 00/16 :    0   3   1   2   4   7   5   6
nf5688m7-1:422771:422786 [0] NCCL INFO Trees [0] 3/-1/-1->0->-1 [1] 3/-1/-1->0->-1 [2] 3/-1/-1->0->-1
nf5688m7-1:422771:422787 [1] NCCL INFO Channel 00/0 : 1[1] -> 2[2] via P2P/direct pointer
nf5688m7-1:422771:422786 [0] NCCL INFO Connected NVLS tree
nf5688m7-1:422771:422786 [0] NCCL INFO 16 coll channels, 16 nvls channels, 16 p2p channels, 16 p2p channels per peer
nf5688m7-1:422771:422789 [3] NCCL INFO comm 0x5598478b07c0 rank 3 nranks 8 cudaDev 3 nvmlDev 3 busId 5a000 commId 0xefdd95e4ad4062d9 - Init COMPLETE
tpgds-aihub0008:207007:207007 [0] NCCL INFO Channel 07/0 : 8[0] -> 7[7] [send] via NET/IB/0/GDRDMA
slinky-0:34636:47955 [3] NCCL INFO Init timings - ncclCommInitRankConfig: rank 3 nranks 6 total 2.72 (kernels 1.40, alloc 0.50, bootstrap 0.00, allgathers 0.01, topo 0.11, graphs 0.01, connections 0.66, rest 0.03)
000 commId 0xd348dd38f6a77098 - Init COMPLETE
""".splitlines()  # fmt: skip  # noqa: E501

# Any node and GPU count, and every version that the list of frameworks has.
SIZES: list[dict[str, object]] = [{"gpus": gpus} for gpus in (2, 3, 4, 8, 16, 24, 1024)]
JOBS: list[tuple[int, dict[str, object]]] = [
    *((seed, dict[str, object](gpus=(8, 16, 32, 64)[seed % 4])) for seed in range(20)),
    *((1, size) for size in SIZES),
    (1, {"gpus": 131_072, "model": "Basalt-405B"}),
    (2, {"gpu": "NVIDIA GeForce RTX 4090", "gpus": 8}),
    (2, {"gpu": "NVIDIA GeForce RTX 4090", "gpus": 1}),
    (2, {"gpu": "AMD Instinct MI300X"}),
]


TOLD: dict[str, tuple[Job, list[str]]] = {}


def lines(seed: int, options: dict[str, object], *, tidy: bool = False) -> tuple[Job, list[str]]:
    """The first node's lines, which five tests look at."""
    if (known := TOLD.get(about := f"{seed} {options} {tidy}")) is not None:
        return known
    job = job_of(seed, dialect="megatron", **options)._replace(tidy=tidy, capture="node")
    job = job._replace(framework=job.framework._replace(speaker="first"))
    TOLD[about] = job, texts(job, 3.69, 24 if job.layout.nodes == 1 else 16)
    return TOLD[about]


def texts(job: Job, seconds: float, channels: int) -> list[str]:
    return [line.text for line in info(job, seconds, channels)]


@pytest.mark.parametrize(("seed", "options"), JOBS, ids=str)
def test_every_line_is_one_that_nccl_prints(seed: int, options: dict[str, object]) -> None:
    assert unmatched(lines(seed, options)[1], ALL) == []


def test_real_lines_match_the_same_patterns() -> None:
    assert unmatched(REAL, ALL) == []


@pytest.mark.parametrize("version", [each.version for each in releases() if each.name == "nccl"])
@pytest.mark.parametrize("gpus", [1, 8, 32])
def test_every_listed_version_speaks_so(version: str, gpus: int) -> None:
    job = job_of(1, dialect="megatron", gpus=gpus)
    software = job.software._replace(collectives="NCCL", collectives_version=version)
    told = texts(job._replace(software=software, capture="all"), 2.46, 24)
    assert unmatched(told, ALL) == []
    assert sum(f"NCCL version {version}" in line for line in told) == 1


@pytest.mark.parametrize(("seed", "options"), JOBS, ids=str)
def test_the_parts_of_the_time_add_up(seed: int, options: dict[str, object]) -> None:
    job, told = lines(seed, options)
    matches = [match for line in told if (match := TIMINGS.search(line))]
    assert len(matches) == job.layout.gpus // job.layout.nodes
    for match in matches:
        parts = [float(part) for part in re.findall(SECONDS, match["parts"])]
        assert float(match["total"]) == pytest.approx(sum(parts), abs=1e-6) == 3.69
        assert min(parts) >= 0


@pytest.mark.parametrize(("seed", "options"), JOBS, ids=str)
def test_a_tidy_log_has_the_same_lines_rank_after_rank(
    seed: int, options: dict[str, object]
) -> None:
    _, told = lines(seed, options)
    job, tidy = lines(seed, options, tidy=True)
    size = job.layout.gpus // job.layout.nodes
    torn = next((i for i, line in enumerate(told) if line.startswith("000 commId")), None)
    if torn is not None:  # put together again
        cut = told[torn - 1].index(job.cluster, 1)
        whole = told[torn - 1][:cut] + told[torn]
        told = [*told[: torn - 1], whole, told[torn - 1][cut:], *told[torn + 1 :]]
    assert (torn is not None) == (size > 1)
    assert Counter(told) == Counter(tidy)
    trees = [line for line in tidy if " Trees " in line]
    assert [re.search(r"\[(\d+)\] NCCL", line)[1] for line in trees] == [  # type: ignore[index]
        str(rank) for rank in range(size)
    ]
    # However they interleave, each rank's own lines are in order.
    for rank in range(size):
        mark = f" [{rank}] NCCL INFO "
        own = [line for line in told if mark in line and "COMPLETE" not in line]
        assert own == [line for line in tidy if mark in line and "COMPLETE" not in line]


def test_ranks_interleave_mildly() -> None:
    _, told = lines(1, {"gpus": 8})
    ranks = [re.search(r" \[(\d)\] NCCL", line)[1] for line in told if " NCCL INFO " in line]  # type: ignore[index]
    assert len(set(ranks)) > 3
    assert ranks != sorted(ranks)


def test_the_order_is_that_of_a_real_log() -> None:
    _, told = lines(1, {"gpus": 16, "gpu": "NVIDIA H100 80GB HBM3"}, tidy=True)
    assert in_order(
        (
            "Bootstrap", "cudaDriverVersion", "NCCL version", "NET/Plugin", "NET/IB",
            "Using network", "DMA-BUF", "Init START", "Setting affinity", "NVLS multicast",
            "nNodes 2", "NVLS Head",
            "Channel 00/16", "Channel 15/16", "Trees [0]", "P2P Chunksize", "[Proxy Service]",
            "Channel 00/0 :", "GDRDMA", "Connected all rings", "Connected all trees", "NVLS comm",
            "Connected NVLS tree", "threadThresholds", "coll channels", "Init COMPLETE",
            "Init timings",
        ),
        told,
    ) is None  # fmt: skip


# --- rings and trees ---------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "options"), JOBS, ids=str)
def test_rings_pass_every_rank_once(seed: int, options: dict[str, object]) -> None:
    job, told = lines(seed, options)
    for line in told:
        if match := re.search(r"Channel \d\d/\d\d :(.*)", line):
            assert len(match[0]) <= 127
            if not match[0].endswith("..."):
                ranks = [int(rank) for rank in match[1].split()]
                assert sorted(ranks) == list(range(job.layout.gpus))
                assert ranks[0] == 0


@pytest.mark.parametrize(("seed", "options"), JOBS, ids=str)
def test_hops_follow_the_rings(seed: int, options: dict[str, object]) -> None:
    job, told = lines(seed, options)
    if job.layout.gpus > 32:
        return  # NCCL does not print such a ring to its end
    size = job.layout.gpus // job.layout.nodes
    text = "\n".join(told)
    for channel, listed in re.findall(r"Channel (\d\d)/\d\d : *([\d ]+)", text):
        ring = [int(rank) for rank in listed.split()]
        for here, there in zip(ring, ring[1:] + ring[:1], strict=True):
            if here != there and (here < size or there < size):  # one GPU sends nothing
                hop = f"Channel {channel}/0 : {here}[{here % size}] -> {there}[{there % size}]"
                assert hop in text


@pytest.mark.parametrize("nodes", [2, 3, 4, 5, 8])
def test_the_ranks_of_all_nodes_agree(nodes: int) -> None:
    """Both ends of a hop name it, but within a node its sender alone; a parent names its child."""
    job = job_of(3, dialect="megatron", gpus=8 * nodes, gpu="NVIDIA H100 80GB HBM3", capture="all")
    told = texts(job, 3.69, 16)
    assert unmatched(told, ALL) == []
    assert len({line.split(":")[0] for line in told if " NCCL INFO " in line}) == nodes
    whole = "\n".join(told)
    for channel, listed in re.findall(r"Channel (\d\d)/16 : *([\d ]+)\n", whole):
        ring = [int(rank) for rank in listed.split()]
        for here, there in zip(ring, ring[1:] + ring[:1], strict=True):
            hop = f"Channel {channel}/0 : {here}[{here % 8}] -> {there}[{there % 8}]"
            assert whole.count(f"{hop} ") == (1 if here // 8 == there // 8 else 2), hop
    trees: dict[tuple[str, int], tuple[int, ...]] = {}
    for channel, *numbers in re.findall(r"\[(\d+)\] (\S+?)/(\S+?)/(\S+?)->(\d+)->(-?\d+)", whole):
        first, second, third, rank, up = map(int, numbers)
        trees[channel, rank] = up, first, second, third
    assert len(trees) == 16 * 8 * nodes
    for (channel, rank), (up, *children) in trees.items():
        for child in children:
            assert child == -1 or trees[channel, child][0] == rank, (channel, rank, child)
        assert up == -1 or rank in trees[channel, up][1:], (channel, rank, up)


def test_a_log_has_nccls_lines_of_its_own_ranks() -> None:
    """NCCL_DEBUG=INFO on every node; a script for many nodes sets it on the first one alone."""
    job = job_of(3, dialect="megatron", gpus=32, incidents="none")
    size = gpus_per_node(job)
    each = {
        capture: {line.rank // size for line in info(job._replace(capture=capture), 3.69, 16)}
        for capture in ("all", "node", "rank0")
    }
    assert each == {"all": set(range(job.layout.nodes)), "node": {speaking_node(job)}, "rank0": {0}}
    own = [line.text for line in info(job._replace(capture="rank0"), 3.69, 16)]
    assert all(" [0] NCCL INFO " in line or line.startswith("NCCL version") for line in own)
    wide = job_of(3, dialect="megatron", gpus=128)
    assert {line.rank // gpus_per_node(wide) for line in info(wide, 3.69, 16)} == {0}


@given(st.integers(1, 300))
def test_trees_reach_every_node(nodes: int) -> None:
    for second in (False, True):
        parents = {}
        for node in range(nodes):
            up, *children = double_tree(nodes, node, second)
            parents[node] = up
            for child in children:
                assert child == -1 or double_tree(nodes, child, second)[0] == node
            assert len([child for child in children if child >= 0]) <= 2
        (root,) = (node for node, up in parents.items() if up == -1)
        for start in range(nodes):
            node, hops = start, 0
            while node != root:
                node, hops = parents[node], hops + 1
                assert hops <= 2 * nodes.bit_length()


def test_the_first_tree_is_that_of_nccls_comment() -> None:
    # trees.cc draws fourteen ranks: 0 over 8; 8 over 4 and 12; 4 over 2 and 6; leaves are odd.
    assert binary_tree(14, 0) == (-1, -1, 8)
    assert binary_tree(14, 8) == (0, 4, 12)
    assert binary_tree(14, 4) == (8, 2, 6)
    assert binary_tree(14, 12) == (8, 10, 13)
    assert binary_tree(14, 13) == (12, -1, -1)
    assert binary_tree(1, 0) == (-1, -1, -1)
