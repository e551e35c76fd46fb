"""What NCCL says last of a broken connection, as torch repeats it below "Last error:".

NCCL keeps the text of its last warning even where NCCL_DEBUG is not set (ncclGetLastError). Texts:
net_ib.cc and socket.cc of NCCL 2.21 to 2.29, and public logs. Status 12 says that a card has tried
again and again, and the other side has not answered.
"""

from llmsim.job.records import Job, gpus_per_node
from llmsim.run import cluster
from llmsim.run.events.incidents import Symptom


def last_error(job: Job, symptom: Symptom) -> str:
    """The last warning of a rank whose connection to a node is broken; `peer` is a rank there."""
    size = gpus_per_node(job)
    node, local = symptom.peer // size, symptom.rank % size
    port = cluster.peer_port(job, symptom.rank)
    if not cluster.has_rdma(job):
        host = cluster.hostname(job, node)
        return f"socketProgress: Connection closed by remote peer {host}<{port}>"
    peer = f"{cluster.address(job, node)}<{port}>"
    card = cluster.cards(job)[local]
    major, minor, *_ = job.software.collectives_version.split(".")
    if (int(major), int(minor)) >= (2, 29):
        return (
            f"NET/IB: Got completion from peer {peer} with status=IBV_WC_RETRY_EXC_ERR(12) "
            f"opcode=IBV_WC_SEND(0) reqSize=0 vendor_err=129 req_type=Send hca {card}"
        )
    if (int(major), int(minor)) >= (2, 23):
        return (
            f"NET/IB: Got completion from peer {peer} with status=12 opcode=0 len=0 "
            f"vendor err 129 (Send) hca {card}"
        )
    return (
        f"NET/IB : Got completion from peer {peer} with status=12 opcode=0 len=0 "
        "vendor err 129 (Send)"
    )
