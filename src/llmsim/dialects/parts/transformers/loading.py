"""What the library's logger says while configuration and weights are loaded."""

from collections.abc import Iterator

from llmsim.dialects.line import Line
from llmsim.dialects.parts.transformers.log_lines import info
from llmsim.dialects.parts.transformers.releases import FOURTH_VERSION, is_fourth
from llmsim.job.records import Job
from llmsim.physics.hardware import storage

VERSION = "5.23.0"
# The files of a fast tokenizer that transformers 4 looks for, in its order.
TOKENIZER = (
    "tokenizer.json",
    "added_tokens.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
# Ids of the first and the last token of a text, by the size of the vocabulary: Llama 3, GPT-2.
_ENDS = {128_256: (128_000, 128_001), 50_257: (50_256, 50_256)}


def _ends(job: Job) -> tuple[int, int]:
    return _ENDS.get(job.architecture.vocabulary, (1, 2))


def loaded_config(job: Job, at: float) -> Iterator[Line]:
    """The configuration's file, and what is in it."""
    path = f"models/{job.model.name}/config.json"
    yield from info(job, at, "config file", f"loading configuration file {path}")
    yield from info(job, at, "config", *_config(job), "")
    if is_fourth(job):
        for name in TOKENIZER:
            yield from info(job, at, "tokenizer file", f"loading file {name}")


def generation(job: Job, at: float, *, file: bool) -> Iterator[Line]:
    """The generation's configuration: of the model's, or from its file."""
    first, last = _ends(job)
    if file:
        path = f"models/{job.model.name}/generation_config.json"
        text = f"loading configuration file {path}"
        yield from info(job, at, "generation file", text)
    yield from info(
        job, at, "generation", "Generate config GenerationConfig {",
        f'  "bos_token_id": {first},', f'  "eos_token_id": {last}', "}", "",
    )  # fmt: skip


def loading_weights(job: Job, at: float) -> Iterator[Line]:
    """The file of the weights, or that of their index."""
    many = len(storage.released_shards(job)) > 1
    file = "model.safetensors.index.json" if many else "model.safetensors"
    text = f"loading weights file models/{job.model.name}/{file}"
    yield from info(job, at, "weights file", text)
    yield from generation(job, at, file=False)


def _config(job: Job) -> list[str]:
    """LlamaConfig or MixtralConfig as to_json_string writes it: its keys, sorted.

    Version 4 leaves out keys that any configuration of the library has, at their defaults.
    """
    config, (first, last) = job.architecture, _ends(job)
    mixture = config.experts > 1
    family = "mixtral" if mixture else "llama"
    values: dict[str, object] = {
        "attention_dropout": 0.0,
        "bos_token_id": first,
        "dtype": "bfloat16",
        "eos_token_id": last,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "hidden_size": config.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": config.feed_forward,
        "max_position_embeddings": config.context,
        "model_type": family,
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "num_key_value_heads": config.kv_heads,
        "pad_token_id": None,
        "rms_norm_eps": 1e-05,
        "tie_word_embeddings": config.tied,
        "transformers_version": FOURTH_VERSION if is_fourth(job) else VERSION,
        "use_cache": True,
        "vocab_size": config.vocabulary,
    }
    if mixture:
        values |= {
            "num_experts_per_tok": config.active_experts,
            "num_local_experts": config.experts,
            "output_router_logits": False,
            "router_aux_loss_coef": 0.001,
            "router_jitter_noise": 0.0,
            "sliding_window": None,
        }
    else:
        values |= {"attention_bias": False, "mlp_bias": False, "pretraining_tp": 1}
    theta = 500_000.0 if config.vocabulary == 128_256 else 10_000.0
    if is_fourth(job):
        del values["pad_token_id"]
        values |= {"rope_theta": theta} | ({} if mixture else {"rope_scaling": None})
    lines = [f'  "{name}": {_json(value)},' for name, value in values.items()]
    lines.append(f'  "architectures": [\n    "{family.capitalize()}ForCausalLM"\n  ],')
    if not is_fourth(job):
        rope = f'{{\n    "rope_theta": {theta},\n    "rope_type": "default"\n  }}'
        lines.append(f'  "rope_parameters": {rope},')
    *body, last_line = sorted(lines)
    text = "\n".join([*body, last_line.removesuffix(",")])
    return [f"Model config {family.capitalize()}Config {{", *text.split("\n"), "}"]


def _json(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)
