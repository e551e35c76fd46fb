"""The keys of a job file: the one table of them.

A job file is TOML with sections; the same sections come as a dictionary of dictionaries. Every key
may be left out. A key that an option has, too, takes what the option takes.
"""

from collections.abc import Iterator, Mapping

from llmsim.catalog.records import KINDS
from llmsim.errors import CatalogError, OptionError
from llmsim.job.records import LOADERS
from llmsim.model.architecture import FAMILIES
from llmsim.options.job_options import MOST_STEPS
from llmsim.options.job_values import (
    Kind,
    Take,
    as_option,
    cut,
    each_as_option,
    name,
    number,
    one_of,
    ramp,
    shown,
    size,
    switch,
    text,
    time_limit,
    versions,
    whole,
)  # fmt: skip
from llmsim.options.wanted import ANYTHING, Wanted
from llmsim.text.wording import either, nearest
from llmsim.typed import Any, NamedTuple

Tables = Mapping[str, object]
DECAYS = ("cosine", "wsd", "linear")


class Key(NamedTuple):
    """A row of the table: where a value stands, which field of Wanted it fills, what it may be."""

    section: str
    name: str
    field: str  # of Wanted
    take: Take  # raises ValueError or OptionError for what cannot be
    expected: str  # completes "give ..."
    meaning: str


_ROWS: tuple[tuple[str, str, str, Kind, str], ...] = (
    ("model", "name", "model", name(),
     "a listed name, or a name ending in a size such as 8B; any name if `layers` is given"),
    ("model", "layers", "layers", whole(1, 10_000), "transformer blocks"),
    ("model", "hidden_size", "hidden_size", whole(16, 1 << 20), "width of the hidden state"),
    ("model", "heads", "heads", whole(1, 65_536), "attention heads"),
    ("model", "kv_heads", "kv_heads", whole(1, 65_536), "heads of keys and values"),
    ("model", "head_dim", "head_dim", whole(1, 65_536), "width of a head"),
    ("model", "ffn", "ffn", whole(1, 1 << 22),
     "inner width of the feed-forward block, or of one expert"),
    ("model", "vocabulary", "vocabulary", whole(32, 10**7), "how many tokens the vocabulary has"),
    ("model", "context", "context", whole(1, 1 << 24),
     "the longest sequence for which the model is made, in tokens"),
    ("model", "experts", "experts", whole(1, 10_000),
     "feed-forward experts of a layer; 1 makes a dense model"),
    ("model", "active_experts", "active_experts", whole(1, 10_000),
     "experts that a token visits, without the shared ones"),
    ("model", "shared_experts", "shared_experts", whole(0, 1000),
     "further experts, which every token visits"),
    ("model", "dense_layers", "dense_layers", whole(0, 10_000),
     ("how many layers at the beginning have no experts; their feed-forward block has a width of "
      "(active_experts + shared_experts) x ffn")),
    ("model", "kv_latent", "kv_latent", whole(0, 65_536),
     "width of the latent vector of keys and values (MLA); 0: no such vector"),
    ("model", "query_latent", "query_latent", whole(0, 65_536),
     "width of the latent vector of queries (MLA); 0: no such vector"),
    ("model", "rope_dim", "rope_dim", whole(0, 65_536),
     "width of the part of a head that carries positions (MLA)"),
    ("model", "tied", "tied", switch(), "whether input and output embedding are the same weights"),
    ("model", "family", "family", one_of(*FAMILIES),
     "kind of the blocks: as in Llama, or as in GPT-2"),
    ("model", "biases", "biases", switch(), "whether GPT-2's matrices and norms have biases"),
    ("data", "name", "dataset", name(), "a listed name; any name if `tokens` is given"),
    ("data", "kind", "kind", one_of(*KINDS), "kind of the text"),
    ("data", "tokens", "data_tokens", size(), "tokens of the whole data set"),
    ("data", "rows", "rows", whole(1, 10**12),
     "how many conversations, pairs or problems the data set has"),
    ("data", "loader", "loader", one_of(*LOADERS),
     "how the text is read: shuffled, as one long text (contiguous), or document by document"),
    ("cluster", "gpu", "gpu", as_option("gpu"), "a listed GPU"),
    ("cluster", "gpus", "gpus", as_option("gpus"), "GPUs of the job"),
    ("cluster", "gpus_per_node", "gpus_per_node", whole(1, 1024),
     "how many GPUs the job uses on each node"),
    ("cluster", "power_limit_watts", "power_limit_watts", whole(1, 10_000),
     "power limit of each GPU, W; by default and at the most what --list gpus --json says"),
    ("cluster", "network_gb_per_s", "nic_gb_s", number(0.1, 1000.0),
     "what a GPU can send to other nodes, GB/s; by default what --list gpus --json says"),
    ("cluster", "storage_gb_per_s", "storage_gb_s", number(0.1, 1e6),
     "how fast the file system writes, GB/s"),
    ("cluster", "hosts", "hosts", name(), "beginning of the hosts' names, before their numbers"),
    ("parallel", "dp", "dp", whole(1, 131_072), "data-parallel ranks"),
    ("parallel", "tp", "tp", as_option("tp"), "tensor-parallel ranks"),
    ("parallel", "pp", "pp", as_option("pp"), "pipeline stages"),
    ("parallel", "cp", "cp", as_option("cp"), "context-parallel ranks: they divide each sequence"),
    ("parallel", "ep", "ep", as_option("ep"),
     "number of data and context ranks that divide the experts of a layer; ep adds no ranks"),
    ("parallel", "sharding", "sharding", as_option("sharding"),
     "how data ranks divide weights, gradients and optimizer states"),
    ("parallel", "replicas", "replicas", whole(1, 131_072),
     "copies of the weights in hsdp; by default one copy for each node"),
    ("parallel", "recompute", "recompute", as_option("recompute"), "activations to compute again"),
    ("parallel", "sequence_parallel", "sequence_parallel", switch(),
     "whether tensor ranks also divide norms and residuals"),
    ("parallel", "interleave", "interleave", whole(1, 1000),
     "pieces of the model that a pipeline stage has; 1 is plain 1F1B"),
    ("batch", "micro", "micro_batch", as_option("micro-batch"),
     "sequences that a rank takes at once"),
    ("batch", "global", "batch", as_option("batch"), "sequences of an optimizer step"),
    ("batch", "accumulation", "accumulation", whole(1, 1 << 20),
     "micro-batches of a rank in a step: global = dp x micro x accumulation"),
    ("batch", "sequence", "sequence", as_option("sequence"), "tokens of a sequence"),
    ("batch", "ramp", "ramp", ramp(),
     "how the global batch grows"),
    ("precision", "compute", "precision", as_option("precision"),
     "number format of matrix products"),
    ("precision", "states", "states", one_of("fp32", "bf16"),
     "number format in which the optimizer keeps weights and moments"),
    ("precision", "base", "base", one_of("bf16", "nf4"),
     "number format of LoRA's frozen weights; with nf4 the training is QLoRA"),
    ("precision", "compiled", "compiled", switch(), "whether the model's blocks are compiled"),
    ("precision", "fused_loss", "fused_loss", switch(),
     "true: the loss makes no fp32 copy of the logits; only some frameworks can do this"),
    ("precision", "attention", "attention", one_of("flash", "eager"),
     "kernel of the attention; an eager kernel writes the scores to memory"),
    ("schedule", "steps", "steps", as_option("steps"),
     "number of the last step; if `first_step` is 1, also the count of steps"),
    ("schedule", "tokens", "tokens", as_option("tokens"),
     "tokens from step 1 to the last step; give this key or `steps`"),
    ("schedule", "first_step", "first_step", whole(1, MOST_STEPS),
     "number of the first step; if it is more than 1, the run resumes from a checkpoint"),
    ("schedule", "horizon", "horizon", whole(1, 10 * MOST_STEPS),
     "steps of the learning rate's whole schedule, if the schedule is longer than this run"),
    ("schedule", "time_limit", "time_limit", time_limit(),
     ("Slurm's time limit of each attempt (sbatch --time), rounded up to whole minutes; "
      "if the limit ends the job, no model is exported")),
    ("schedule", "exit_after", "exit_after", time_limit(),
     "time from each launch until Megatron-LM saves and exits"),
    ("schedule", "epochs", "epochs", whole(1, 10**6), "passes over the data"),
    ("schedule", "warmup", "warmup", whole(0, MOST_STEPS), "steps of warmup"),
    ("schedule", "peak_lr", "lr", as_option("lr"), "peak learning rate"),
    ("schedule", "final_lr", "final_lr", number(0.0, 10.0), "learning rate at the end"),
    ("schedule", "decay", "decay", one_of(*DECAYS), "how the learning rate falls"),
    ("schedule", "log_every", "log_every", as_option("log-every"),
     "steps from one logged step to the next"),
    ("schedule", "validates", "validates", switch(),
     "false: no validations; some frameworks cannot omit validations"),
    ("schedule", "validate_every", "validate_every", whole(1, MOST_STEPS),
     "steps from one validation to the next"),
    ("schedule", "validation_batches", "validation_batches", whole(1, 10**7),
     "global batches of a validation"),
    ("schedule", "saves", "saves", switch(),
     "false: no checkpoints; some frameworks cannot omit checkpoints"),
    ("schedule", "save_every", "save_every", whole(1, MOST_STEPS),
     "steps from one checkpoint to the next"),
    ("schedule", "background_saves", "background_saves", switch(),
     "whether training goes on during a save"),
    ("framework", "dialect", "dialect", as_option("dialect"), "framework whose log to print"),
    ("framework", "release", "release", as_option("release"), "release of the framework"),
    ("framework", "capture", "capture", as_option("capture"),
     "whose lines the log has: the first node's, every node's or rank 0's; auto: what is usual"),
    ("framework", "versions", "versions", versions(), "versions of the software"),
    ("recipe", "name", "recipe", as_option("recipe"), "kind of training"),
    ("recipe", "rank", "rank", whole(1, 4096), "inner width of LoRA's matrices"),
    ("recipe", "beta", "beta", number(1e-4, 10.0),
     "weight of the KL penalty in DPO and GRPO"),
    ("recipe", "group", "group", whole(2, 64), "completions of a prompt in GRPO"),
    ("run", "seed", "seed", as_option("seed"), "decides, together with `start`, which run it is"),
    ("run", "start", "start", as_option("start"), "time of the first line"),
    ("run", "evaluate", "evaluate", as_option("evaluate"), "benchmarks at every validation"),
    ("run", "tidy", "tidy", as_option("tidy"), "true: launch lines are printed whole and in order"),
    ("run", "jokes", "jokes", switch(), "false: no jokes, and no funny names"),
    ("run", "incidents", "incidents", as_option("incidents"), "how often something breaks"),
    ("run", "incident", "incident", each_as_option("incident"), "what breaks, and when"),
    ("run", "name", "name", name(), "name of the run"),
    ("run", "command", "command", text(),
     "text that the log's last line shows as the command; ignored if a flag changes the run"),
)  # fmt: skip
KEYS = tuple(Key(*row[:3], *row[3], row[4]) for row in _ROWS)
SECTIONS = tuple(dict.fromkeys(key.section for key in KEYS))


def _home(name: str) -> str:
    """The section that has a key of this name; "" if none has, or if it is a section itself."""
    homes = (key.section for key in KEYS if key.name == name)
    return "" if name in SECTIONS else next(homes, "")


def wanted_of(tables: Tables, source: str = "") -> Wanted:
    """What a job file asks for. Raises OptionError: one sentence that names section and key."""
    where = f" in {source}" if source else ""
    fields: dict[str, Any] = {}
    for section, table in tables.items():
        if (home := _home(section)) and not isinstance(table, Mapping):
            raise OptionError(
                f"{section}{where} stands outside of its section: put it below [{home}]."
            )
        if section not in SECTIONS:
            hint = _hint(section, SECTIONS)
            raise OptionError(f"there is no section [{cut(section)}]{where}{hint}")
        if not isinstance(table, Mapping):
            raise OptionError(f"[{section}]{where} is {shown(table)}: give a section with keys.")
        for key, value in _keys(section, table, where):
            taken = _taken(key, value, where)
            fields[key.field] = taken
    return ANYTHING._replace(**fields, source=source)


def _keys(section: str, table: Mapping[str, object], where: str) -> Iterator[tuple[Key, object]]:
    known = {key.name: key for key in KEYS if key.section == section}
    for label, value in table.items():
        if label not in known:
            hint = _hint(str(label), tuple(known))
            raise OptionError(f"there is no key {cut(str(label))} in [{section}]{where}{hint}")
        yield known[label], value


def _taken(key: Key, value: object, where: str) -> object:
    label = f"[{key.section}] {key.name}{where}"
    try:
        return key.take(value)
    except CatalogError as error:
        raise OptionError(f"{label}: {error}") from None
    except OptionError as error:
        raise OptionError(f"{label} ", *error.args) from None
    except ValueError:
        raise OptionError(f"{label} cannot be {shown(value)}: give {key.expected}.") from None


def _hint(name: str, names: tuple[str, ...]) -> str:
    near = nearest(str(name), names)
    return f": did you mean {near}?" if near else f": give {either(names)}."
