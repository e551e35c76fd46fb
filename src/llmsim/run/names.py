"""Names of runs, clusters and people, and last lines, drawn from the seed; some are jokes.

A run's names depend on its seed and on the other options that were given, so that two jobs of a
sweep, which share a seed, have different names.
"""

from llmsim.catalog import records
from llmsim.job.records import Job
from llmsim.physics import noise

ADJECTIVES = (
    "quiet",
    "overfit",
    "undertrained",
    "stochastic",
    "caffeinated",
    "convex",
    "hopeful",
    "sleepless",
    "plausible",
    "vanishing",
    "exploding",
    "frozen",
    "greedy",
    "final-final",
    "reproducible",
    "unreviewed",
    "overdue",
    "grumpy",
)
NOUNS = (
    "gradient",
    "llama",
    "tensor",
    "walrus",
    "plateau",
    "optimizer",
    "goose",
    "baseline",
    "ablation",
    "capybara",
    "checkpoint",
    "minimum",
    "postdoc",
    "saddle",
    "deadline",
    "otter",
    "logit",
)
CLUSTERS = (
    "toaster",
    "hotplate",
    "spaceheater",
    "sauna",
    "furnace",
    "kettle",
    "waffle",
    "volcano",
    "radiator",
    "fanheater",
    "raclette",
    "fondue",
)

USERS = (
    "ada",
    "gradstudent",
    "night-shift",
    "postdoc-3",
    "not-a-bot",
    "the-intern",
    "cluster-fairy",
)
TEAMS = (
    "overfit-labs",
    "big-batch",
    "scaling-hopes",
    "frozen-layers",
    "gpu-poor",
    "loss-and-found",
)
LAST_LINES = (
    "The model is done. Please do not ask it about last week.",
    "It has read more than you ever will and understood about as much.",
    "Now 0.3 points ahead of the baseline, within noise, in bold.",
    "Next: a blog post, a leaderboard, and a model that beats it by Thursday.",
    "The GPUs are cooling down. The electricity bill is not.",
    "Ready for deployment to a product that did not need it.",
    "Trained to predict the next word. The next word is: funding.",
    "Results will be reproduced as soon as somebody finds the config.",
    "The loss went down. This concludes the theory section.",
    "No validation data was memorized. It just looks very familiar.",
    "Safe, aligned and open, in the sense that the door was open.",
    "Achieved human-level performance at spending money.",
)

RESUMED_LINES = (
    "The loss has seen these batches before and pretends not to.",
    "Nothing is lost but time, money and the night of somebody on call.",
    "A checkpoint is a letter to a process that does not know it is the next one.",
    "The incident has a channel, a document and no cause.",
    "Have you tried turning sixteen thousand of them off and on again?",
)

# What there is to say when an attempt has failed, by the incident; "" is for the others.
FAILED_LINES: dict[str, tuple[str, ...]] = {
    "nccl-timeout": (
        "Utilization was 100 % all the while. Management is pleased with the utilization.",
        "Everybody waited for everybody, which is called a collective.",
    ),
    "gsp": ("The GPU has a processor of its own, which has decided to take a moment.",),
    "gpu-lost": (
        "It has fallen off the bus. Nobody saw it get on.",
        "Seven of eight GPUs recommend this node.",
    ),
    "hbm-ecc": ("A cosmic ray has reviewed the code.", "Two bits have changed their minds."),
    "nvlink": ("They are no longer on speaking terms.",),
    "link-down": ("It is never the network, until it is.",),
    "cuda-oom": (
        "It would have fit, had it been smaller.",
        "2 MiB short. The other 81,557 send their regards.",
    ),
    "data-killed": ("The kernel had to choose somebody, and it chose well.",),
    "disk-full": ("There is no space left for the checkpoint of how to make space.",),
    "node-fail": ("It has gone to a better rack.",),
    "preempt": ("Somebody with a deadline needs these GPUs more. So they say.",),
    "time-limit": ("The scheduler asked for an estimate, and has kept it.",),
    "maintenance": ("A person is coming with a screwdriver.",),
    "nan": ("Not a number. It never said that it was one.",),
    "sdc": ("It was wrong quietly, like everybody else.",),
    "loss-spike": ("A person has looked at the curve, and has felt something.",),
    "segfault": ("No traceback, no note, no reason.",),
    "init-fail": ("They could not agree on whom to meet.",),
    "": ("It worked on one GPU.", "Reproducible, which is more than most results."),
}

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def naming_seed(seed: int, asked: str) -> int:
    """The seed of a run's names, from its own seed and the other options that were given."""
    return noise.bits(seed, f"name/{asked}") if asked else seed


def run_name(seed: int, jokes: bool = True) -> str:
    """A run's name, as experiment trackers make them: "sleepless-walrus-417", or "run-646812"."""
    if not jokes:
        return f"run-{noise.integer(seed, 'name/run', 100_000, 999_999)}"
    adjective = noise.pick(seed, "name/adjective", ADJECTIVES)
    noun = noise.pick(seed, "name/noun", NOUNS)
    return f"{adjective}-{noun}-{noise.integer(seed, 'name/number', 1, 999)}"


def cluster_name(seed: int, jokes: bool = True) -> str:
    """The stem of the hostnames. Clusters are named after what they are used for: heating."""
    return noise.pick(seed, "name/cluster", CLUSTERS) if jokes else "node"


def run_id(job: Job) -> str:
    """The eight letters and digits by which Weights & Biases knows a run: "2j7nk4to".

    A restart is a run of its own there: its processes call wandb.init again.
    """
    own = "" if job.run_name == run_name(job.seed, job.jokes) else f"/{job.run_name}"
    own += f"/attempt {job.attempt}" if job.attempt > 1 else ""
    return "".join([noise.pick(job.seed, f"wandb/id{own}", _LETTERS, i) for i in range(8)])


def user(job: Job) -> str:
    """The account of the person who started the run."""
    return noise.pick(job.seed, "wandb/user", USERS) if job.jokes else "ada"


def team(job: Job) -> str:
    """The account of the team that owns the run."""
    return noise.pick(job.seed, "wandb/team", TEAMS) if job.jokes else "research"


def sample(seed: int, number: int, loss: float) -> str:
    """What a model says at a validation: gibberish at a high loss, confident nonsense at a low.

    Validations are numbered from 0; one after another says another of the texts for the loss. A
    loss that is not a number is higher than all others: what is broken makes no sense.
    """
    known = records.samples()
    lowest = min(each.loss for each in known)
    level = max((each.loss for each in known if not each.loss > loss), default=lowest)
    fitting = [each.text for each in known if each.loss == level]
    fitting.sort(key=lambda text: noise.bits(seed, f"sample/{text}"))
    return fitting[number % len(fitting)]


def last_line(job: Job) -> str:
    """The joke that a log ends with; "" where jokes are left out."""
    return noise.pick(job.seed, "last line", LAST_LINES) if job.jokes else ""


def failed_line(seed: int, attempt: int, kind: str) -> str:
    """What there is to say when an incident of this kind has ended an attempt."""
    lines = FAILED_LINES.get(kind) or FAILED_LINES[""]
    return noise.pick(seed, "failed line", lines, attempt)


def resumed_line(seed: int, attempt: int) -> str:
    """What there is to say when an attempt goes on where another had saved."""
    return noise.pick(seed, "resumed line", RESUMED_LINES, attempt)
