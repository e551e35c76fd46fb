"""What TensorBoard (2.21.0) prints, and what a trainer that writes for it says."""

from collections.abc import Iterator
from datetime import datetime

PORT = 6006


def enabled(folder: str, now: datetime) -> str:
    """torchtitan's line: where the event files go."""
    return f"TensorBoard logging enabled. Logs will be saved at {folder}/{now:%Y%m%d-%H%M}"


def serving(host: str, port: int = PORT) -> Iterator[str]:
    """The server's start, without TensorFlow."""
    yield "TensorFlow installation not found - running with reduced feature set."
    yield ""
    yield "NOTE: Using experimental fast data loading logic. To disable, pass"
    yield '    "--load_fast=false" and report issues on GitHub. More details:'
    yield "    https://github.com/tensorflow/tensorboard/issues/4784"
    yield ""
    yield f"TensorBoard 2.21.0 at http://{host}:{port}/ (Press CTRL+C to quit)"
