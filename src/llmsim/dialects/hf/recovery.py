"""How a run of run_clm.py dies; lines.py says how it goes on."""

from llmsim.dialects.line import Render
from llmsim.dialects.parts.last_words import spoken
from llmsim.dialects.parts.transformers.frames import trainer_code
from llmsim.dialects.parts.worker_errors import Place
from llmsim.run import events

_SCRIPT = "run_clm.py"
CODE = trainer_code(
    _SCRIPT,
    Place(f"/workspace/{_SCRIPT}", 688, "<module>", "main()"),
    Place(
        f"/workspace/{_SCRIPT}", 639, "main",
        "train_result = trainer.train(resume_from_checkpoint=checkpoint)",
    ),
)  # fmt: skip
LINES: dict[type, Render] = {events.Symptom: spoken(CODE)}
