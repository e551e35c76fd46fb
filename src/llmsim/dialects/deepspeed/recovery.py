"""How DeepSpeed dies under its launcher, and what its engine prints when it loads (0.16)."""

from collections.abc import Iterator

from llmsim.dialects.capture import ranks_kept
from llmsim.dialects.deepspeed import engine, launch, training
from llmsim.dialects.deepspeed.log_lines import has_launcher, info, marked, zero_stage
from llmsim.dialects.line import Bar, Line, Render
from llmsim.dialects.parts.groups import Names
from llmsim.dialects.parts.last_words import code_of, spoken
from llmsim.dialects.parts.packages import PACKAGES
from llmsim.dialects.parts.worker_errors import Place
from llmsim.job.records import Job
from llmsim.run import events
from llmsim.run.events import Symptom
from llmsim.text.screen import Screen

_TRAIN, _HOME = "/workspace/train.py", f"{PACKAGES}/deepspeed/runtime"
_CODE = code_of(
    "train.py",
    (Place(_TRAIN, 391, "<module>", "main()"), Place(_TRAIN, 344, "main", "train(args, engine)")),
    Place(f"{_HOME}/engine.py", 2342, "step", "self._take_model_step(lr_kwargs)"),
    Place(f"{_HOME}/engine.py", 2045, "forward", "loss = self.module(*inputs, **kwargs)"),
    Place(_TRAIN, 297, "train", "batch = next(data_iterator)"),
    Place(f"{_HOME}/checkpoint_engine/torch_checkpoint_engine.py", 22, "save",
          "torch.save(state_dict, path)"),
    Place(f"{PACKAGES}/deepspeed/comm/comm.py", 658, "init_distributed",
          "cdb = TorchBackend(dist_backend, timeout, init_method, rank, world_size)"),
    device=Place(_TRAIN, 312, "main", "torch.cuda.set_device(args.local_rank)"),
    launcher="deepspeed",
    groups=Names(default=False),
)  # fmt: skip


_SCALE_GONE = (
    "Exception: Current loss scale already at minimum - cannot decrease scale anymore. Exiting run."
)


def _scaler(job: Job) -> tuple[Place, ...]:
    """From the step to where the dynamic loss scaler gives up (runtime/fp16/loss_scaler.py)."""
    scaler = Place(f"{_HOME}/fp16/loss_scaler.py", 175, "update_scale", "raise Exception(")
    update = "self.loss_scaler.update_scale(has_overflow)"
    check = "self._update_scale(self.overflow)"
    optimizer: tuple[Place, ...]
    if zero_stage(job) == 3:
        looks, file = "_overflow_check_and_loss_scale_update", f"{_HOME}/zero/stage3.py"
        optimizer = (
            Place(file, 2094, "step", f"if self.{looks}():"),
            Place(file, 2039, looks, check),
            Place(file, 2464, "_update_scale", update),
        )
    else:
        file = f"{_HOME}/zero/stage_1_and_2.py"
        optimizer = (
            Place(file, 1855, "step", check),
            Place(file, 2096, "_update_scale", update),
        )
    taken = Place(f"{_HOME}/engine.py", 2252, "_take_model_step", "self.optimizer.step()")
    return (*_CODE.step, taken, *optimizer, scaler)


def _symptom(event: Symptom, job: Job, screen: Screen) -> Iterator[Line | Bar]:
    code = _CODE._replace(scaler=_scaler(job), scale_gone=_SCALE_GONE)
    script, *arguments = launch.arguments(job)
    code = code._replace(script=script, python=launch.PYTHON, arguments=tuple(arguments))
    code = code if has_launcher(job) else code._replace(launcher="none")
    for line in spoken(code)(event, job, screen):
        yield marked(job, line) if isinstance(line, Line) else line


def _resumed(event: events.Resumed, job: Job, screen: Screen) -> Iterator[Line | Bar]:
    """Every process reads its model's states, then its part of the optimizer's."""
    del screen
    if not event.step:
        return
    begun, ranks = event.at - event.seconds, ranks_kept(job)
    yield from engine.set_up(job, begun)
    for rank in ranks:
        files = [training.model_file(job, event.step, rank)]
        if job.layout.pp > 1:
            files += training.layer_files(job, event.step, rank)
        for name in files:
            yield from _loaded(job, (begun, begun), name, rank)
    if not zero_stage(job):
        return
    for rank in ranks:
        name = training.optimizer_file(job, event.step, rank)
        yield _engine(job, begun, f"Loading checkpoint from {name}...", rank)
    for rank in ranks:
        name = training.optimizer_file(job, event.step, rank)
        yield _engine(job, event.at, f"Loaded checkpoint from {name}.", rank)
        for place, text in (
            (
                "3212:_get_all_zero_checkpoint_state_dicts",
                f"successfully read {job.layout.dp} ZeRO state_dicts for rank {rank}",
            ),
            (
                "3162:_load_zero_checkpoint",
                f"loading {job.layout.dp} zero partition checkpoints for rank {rank}",
            ),
        ):
            yield info(job, event.at, f"engine.py:{place}", text, rank=rank)


def _loaded(job: Job, times: tuple[float, float], name: str, rank: int) -> Iterator[Line]:
    yield _engine(job, times[0], f"Loading checkpoint from {name}...", rank)
    yield _engine(job, times[1], f"Loaded checkpoint from {name}.", rank)


def _engine(job: Job, at: float, text: str, rank: int) -> Line:
    number = 29 if text.startswith("Loaded") else 27
    return info(job, at, f"torch_checkpoint_engine.py:{number}:load", f"[Torch] {text}", rank=rank)


LINES: dict[type, Render] = {events.Symptom: _symptom, events.Resumed: _resumed}
