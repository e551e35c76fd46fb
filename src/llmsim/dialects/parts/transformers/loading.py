"""What the library's logger says while configuration and weights are loaded (5.23.0)."""

from collections.abc import Iterator

from llmsim.dialects.line import Line
from llmsim.dialects.parts.transformers.log_lines import info
from llmsim.job.records import Job
from llmsim.physics.hardware import storage

VERSION = "5.23.0"
# Ids of the first and the last token of a text, by the size of the vocabulary: Llama 3, GPT-2.
_ENDS = {128_256: (128_000, 128_001), 50_257: (50_256, 50_256)}


def _ends(job: Job) -> tuple[int, int]:
    return _ENDS.get(job.architecture.vocabulary, (1, 2))


def loaded_config(job: Job, at: float) -> Iterator[Line]:
    """The configuration's file, and what is in it."""
    path = f"models/{job.model.name}/config.json"
    yield from info(job, at, "configuration_utils.py:1035", f"loading configuration file {path}")
    yield from info(job, at, "configuration_utils.py:1109", *_config(job), "")


def generation(job: Job, at: float, *, file: bool) -> Iterator[Line]:
    """The generation's configuration: of the model's, or from its file."""
    first, last = _ends(job)
    if file:
        path = f"models/{job.model.name}/generation_config.json"
        text = f"loading configuration file {path}"
        yield from info(job, at, "configuration_utils.py:1108", text)
    yield from info(
        job, at, "configuration_utils.py:1154", "Generate config GenerationConfig {",
        f'  "bos_token_id": {first},', f'  "eos_token_id": {last}', "}", "",
    )  # fmt: skip


def loading_weights(job: Job, at: float) -> Iterator[Line]:
    """The file of the weights, or that of their index."""
    many = len(storage.released_shards(job)) > 1
    file = "model.safetensors.index.json" if many else "model.safetensors"
    text = f"loading weights file models/{job.model.name}/{file}"
    yield from info(job, at, "modeling_utils.py:761", text)
    yield from generation(job, at, file=False)


def _config(job: Job) -> list[str]:
    """LlamaConfig or MixtralConfig as to_json_string writes it: all keys, sorted."""
    config, (first, last) = job.architecture, _ends(job)
    mixture = config.experts > 1
    family = "mixtral" if mixture else "llama"
    values: dict[str, object] = {
        "attention_dropout": 0.0,
        "bos_token_id": first,
        "dtype": "bfloat16",
        "eos_token_id": last,
        "head_dim": config.head_width,
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
        "transformers_version": VERSION,
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
    lines = [f'  "{name}": {_json(value)},' for name, value in values.items()]
    lines += [
        f'  "architectures": [\n    "{family.capitalize()}ForCausalLM"\n  ],',
        f'  "rope_parameters": {{\n    "rope_theta": {theta},\n    "rope_type": "default"\n  }},',
    ]
    *body, last_line = sorted(lines)
    text = "\n".join([*body, last_line.removesuffix(",")])
    return [f"Model config {family.capitalize()}Config {{", *text.split("\n"), "}"]


def _json(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)
