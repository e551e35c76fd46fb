"""The nodes of a cluster: which GPUs are free, and how nodes are named."""

from heapq import heapify, heappop, heappush

from llmsim.typed import NamedTuple


class Pool(NamedTuple):
    """What [cluster] of a SPEC says."""

    nodes: int
    gpus_per_node: int = 8
    gpu: str = ""  # a name in the catalogue; without one, its first
    days: float = 1.0
    jobs_a_gpu_day: float = 0.45  # RSC-1's
    sample: float = 3_600.0  # seconds between two samples of all GPUs; 0 is none
    steps: bool = True  # whether sacct's text has the steps of jobs
    name: str = "node"
    seed: int = 1
    weekday: int = 3  # of time zero, Monday is 0
    first_hour: int = 0

    @property
    def gpus(self) -> int:
        """All GPUs of the cluster."""
        return self.nodes * self.gpus_per_node


def hostname(pool: Pool, node: int) -> str:
    """The name of a node, counted from 0."""
    return f"{pool.name}{node + 1:0{len(str(pool.nodes))}d}"


def folded(pool: Pool, nodes: tuple[int, ...]) -> str:
    """Nodes as Slurm folds their names: node[0001-0008,0012]."""
    if len(nodes) == 1:
        return hostname(pool, nodes[0])
    width, spans = len(str(pool.nodes)), list[list[int]]()
    for node in sorted(nodes):
        if spans and spans[-1][1] == node - 1:
            spans[-1][1] = node
        else:
            spans.append([node, node])
    texts = [
        f"{first + 1:0{width}d}" + (f"-{last + 1:0{width}d}" if last > first else "")
        for first, last in spans
    ]
    return f"{pool.name}[{','.join(texts)}]"


class Free:
    """The free GPUs of all nodes, found by how many of a node's GPUs are free."""

    def __init__(self, nodes: int, per_node: int) -> None:
        """All are free."""
        self.per_node = per_node
        self.masks = [(1 << per_node) - 1] * nodes  # a bit for each free GPU
        self.up = [True] * nodes
        self.whole = nodes  # nodes whose GPUs are all free
        # Nodes by free GPUs; a node that has changed since is left in its old heap and skipped.
        self._heaps: list[list[int]] = [[] for _ in range(per_node + 1)]
        self._heaps[per_node] = [*range(nodes)]
        heapify(self._heaps[per_node])

    def _count(self, node: int) -> int:
        return self.masks[node].bit_count() if self.up[node] else 0

    def _first(self, count: int) -> int | None:
        """The first node with exactly this many free GPUs, taken out of its heap."""
        heap = self._heaps[count]
        while heap:
            node = heappop(heap)
            if self._count(node) == count and (not heap or heap[0] != node):
                return node
        return None

    def take_whole(self, count: int) -> tuple[int, ...] | None:
        """This many whole nodes, or None if there are not as many."""
        if count > self.whole:
            return None
        nodes = []
        for _ in range(count):
            node = self._first(self.per_node)
            assert node is not None
            self.masks[node] = 0
            nodes.append(node)
        self.whole -= count
        return tuple(nodes)

    def take_part(self, gpus: int, whole: bool = True) -> tuple[int, int] | None:
        """A node and the mask of some of its GPUs: the node with the fewest free ones that do.

        Without `whole` a node whose GPUs are all free stays as it is.
        """
        for count in range(gpus, self.per_node + whole):
            node = self._first(count)
            if node is not None:
                return node, self._taken(node, gpus)
        return None

    def _taken(self, node: int, gpus: int) -> int:
        before, mask = self.masks[node], 0
        for _ in range(gpus):
            lowest = (before & ~mask) & -(before & ~mask)
            mask |= lowest
        self.whole -= before == (1 << self.per_node) - 1
        self._set(node, before & ~mask)
        return mask

    def give_back(self, node: int, mask: int) -> None:
        """Some GPUs of a node are free again."""
        self._set(node, self.masks[node] | mask)
        if self.up[node] and self.masks[node] == (1 << self.per_node) - 1:
            self.whole += 1

    def _set(self, node: int, mask: int) -> None:
        self.masks[node] = mask
        if self.up[node] and mask:
            heappush(self._heaps[mask.bit_count()], node)

    def fall(self, node: int) -> None:
        """A node is down: nothing starts on it. Its jobs give their GPUs back by themselves."""
        if self.up[node]:
            self.whole -= self.masks[node] == (1 << self.per_node) - 1
            self.up[node] = False

    def rise(self, node: int) -> None:
        """A node is repaired."""
        if not self.up[node]:
            self.up[node] = True
            self.whole += self.masks[node] == (1 << self.per_node) - 1
            self._set(node, self.masks[node])
