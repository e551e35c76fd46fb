"""How DeepSpeed dies under its launcher, and what its engine prints when it loads (0.16)."""

from collections.abc import Iterator

from llmsim.dialects.deepspeed.log_lines import has_launcher, info
from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.run.events import Symptom
from llmsim.text.screen import Screen

_TRAIN, _HOME = "/workspace/train.py", "/usr/local/lib/python3/dist-packages/deepspeed/runtime"
_CODE = code_of(
    "train.py",
    (Place(_TRAIN, 391, "<module>", "main()"), Place(_TRAIN, 344, "main", "train(args, engine)")),
    Place(f"{_HOME}/engine.py", 2342, "step", "self._take_model_step(lr_kwargs)"),
    Place(f"{_HOME}/engine.py", 2045, "forward", "loss = self.module(*inputs, **kwargs)"),
    Place(_TRAIN, 297, "train", "batch = next(data_iterator)"),
    Place(f"{_HOME}/checkpoint_engine/torch_checkpoint_engine.py", 22, "save",
          "torch.save(state_dict, path)"),
    Place("/usr/local/lib/python3/dist-packages/deepspeed/comm/comm.py", 658, "init_distributed",
          "cdb = TorchBackend(dist_backend, timeout, init_method, rank, world_size)"),
    launcher="deepspeed",
)  # fmt: skip
_ENGINE = "torch_checkpoint_engine.py:27:load"


def _symptom(event: Symptom, job: Job, screen: Screen) -> Iterator[Line | Bar]:
    code = _CODE if has_launcher(job) else _CODE._replace(launcher="none")
    yield from spoken(code)(event, job, screen)


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Iterator[Line | Bar]:
    del screen
    if event.step:
        path = f"{event.path.rpartition('/')[0]}/global_step{event.step}/mp_rank_00_model_states.pt"
        begun = event.at - event.seconds
        yield info(job, begun, _ENGINE, f"[Torch] Loading checkpoint from {path}...")
        yield info(job, event.at, _ENGINE, f"[Torch] Loaded checkpoint from {path}.")


LINES: dict[type, Render] = {events.Symptom: _symptom, events.Resumed: _resumed}
