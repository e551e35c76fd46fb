"""What people call things: runs, clusters. Drawn from the seed, funny in small doses."""

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


def run_name(seed: int) -> str:
    """A run's name, as experiment trackers make them: "sleepless-walrus-417"."""
    adjective = noise.pick(seed, "name/adjective", ADJECTIVES)
    noun = noise.pick(seed, "name/noun", NOUNS)
    return f"{adjective}-{noun}-{noise.integer(seed, 'name/number', 1, 999)}"


def cluster_name(seed: int) -> str:
    """The stem of the hostnames. Clusters are named after what they are used for: heating."""
    return noise.pick(seed, "name/cluster", CLUSTERS)
