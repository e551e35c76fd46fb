"""What Megatron-LM prints at core 0.12.0, statement by statement, on all ranks."""

from llmsim.dialects.megatron import arguments
from llmsim.dialects.megatron import occasions as on
from llmsim.dialects.megatron.launch import fuses_softmax
from llmsim.dialects.megatron.older_statements import older
from llmsim.dialects.megatron.theory import with_activations
from llmsim.dialects.parts.statements import BARRIER, LEAKED, NCCL, TORCHRUN
from llmsim.dialects.statement import Statement, goes_on, where
from llmsim.physics.learning.loss_scale import scales

_FLOAT = r"\d\.\d{6}E[+-]\d\d"
_CORE, _CALCULATOR = r"INFO:megatron\.core\.", r"INFO:megatron\.core\.num_microbatches_calculator:"
_RERUN = r"WARNING:megatron\.core\.rerun_state_machine:"
_DATE = r"datetime: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
_TIMER = r"\.+: \(\d+\.\d\d, \d+\.\d\d\)"
_SPLIT = r"\[ t 1/\d+, p 1/\d+ \]"
_DATA = rf"{_CORE}datasets\."
_BETWEEN = "iteration % log_interval == 0"


_LAUNCH = (
    *TORCHRUN,
    Statement("world", "training/arguments.py:328",
              r"using world size: \d+, data-parallel size: \d+, context-parallel size: \d+, "
              r"hierarchical context-parallel sizes: Nonetensor-model-parallel size: \d+, "
              r"encoder-tensor-model-parallel size: 0, pipeline-model-parallel size: \d+, "
              r"encoder-pipeline-model-parallel size: 0", guard="args.rank == 0"),
    Statement("no-overlap", "training/arguments.py:474",
              r"WARNING: Setting args\.overlap_p2p_comm and args\.align_param_gather to False "
              r"since non-interleaved schedule does not support overlapping p2p communication and "
              r"aligned param AG", where(on.plain), guard="args.pipeline_model_parallel_size > 1"),
    Statement("virtual", "training/arguments.py:493",
              r"Number of virtual stages per pipeline stage: (?:None|\d+)"),
    Statement("unchecked", "training/arguments.py:580",
              r"WARNING: Setting args\.check_for_nan_in_loss_and_grad to False .*", where(scales)),
    Statement("fp32", "training/arguments.py:596",
              r"accumulate and all-reduce gradients in fp32 for bfloat16 data type\.",
              where(lambda job: not scales(job)), guard="args.bf16"),
    Statement("weights", "training/arguments.py:600",
              r"using torch\.b?float16 for parameters \.\.\."),
    Statement("arguments", "training/arguments.py:978", r"-{24} arguments -{24}"),
    Statement("argument", "training/arguments.py:985", r"  \w+ \.* .*",
              lambda job: (0,) * (len([*arguments.dump(job)]) - 2)),
    Statement("arguments-end", "training/arguments.py:986", r"-{20} end of arguments -{21}"),
    Statement("constant", "core/num_microbatches_calculator.py:228",
              rf"{_CALCULATOR}setting number of microbatches to constant \d+",
              where(lambda job: not on.ramped(job))),
    Statement("ramp", "core/num_microbatches_calculator.py:242",
              rf"{_CALCULATOR}will use batch size rampup starting from global batch size \d+ to "
              r"global batch size \d+ with batchsize increments \d+ over \d+ samples\.",
              where(on.ramped)),
    Statement("initial", "core/num_microbatches_calculator.py:466",
              rf"{_CALCULATOR}setting initial batch size to \d+", where(on.ramped)),
    Statement("tokenizer", "training/tokenizer/tokenizer.py:23",
              r"> building HuggingFaceTokenizer tokenizer \.\.\."),
    Statement("padded", "training/tokenizer/tokenizer.py:117",
              r" > padded vocab \(size: \d+\) with \d+ dummy tokens \(new size: \d+\)"),
    Statement("one-logger", "training/global_vars.py:215",
              r"WARNING: one_logger package is required to enable e2e metrics tracking\. please go "
              r"to https://\S+ for details to install it", ranks="last",
              guard="args.rank == args.world_size - 1, enable_one_logger by default"),
    Statement("rerun", "core/rerun_state_machine.py:239",
              rf"{_RERUN}RerunStateMachine initialized in mode RerunMode\.DISABLED"),
    Statement("distributed", "training/initialize.py:313",
              r"> initializing torch distributed \.\.\."),
    Statement("tensor", "training/initialize.py:362",
              r"> initialized tensor model parallel with size \d+"),
    Statement("pipeline", "training/initialize.py:366",
              r"> initialized pipeline model parallel with size \d+"),
    Statement("seeds", "training/initialize.py:123", r"> setting random seeds to \d+ \.\.\."),
    Statement("builder", "training/initialize.py:180", r"> compiling dataset index builder \.\.\."),
    Statement("make", "core/datasets/utils.py:25",
              r"make: (?:(?:Entering|Leaving) directory '.*megatron/core/datasets'|"
              r"Nothing to be done for 'default'\.)", lambda _job: (0, 0, 0)),
    Statement("builder-done", "training/initialize.py:184",
              r">>> done with dataset index builder\. Compilation time: \d+\.\d{3} seconds"),
    Statement("unfused", "training/initialize.py:207",
              r"WARNING: constraints for invoking optimized fused softmax kernel are not met\. We "
              r"default back to unfused kernel invocations\.",
              where(lambda job: not fuses_softmax(job))),
    Statement("kernels", "training/initialize.py:217",
              r"> compiling and loading fused kernels \.\.\."),
    *BARRIER,
    *NCCL,
    Statement("kernels-done", "training/initialize.py:229",
              r">>> done with compiling and loading fused kernels\. Compilation time: "
              r"\d+\.\d{3} seconds"),
    Statement("initialized", "training/training.py:706",
              r"time to initialize megatron \(seconds\): \d+\.\d{3}"),
    Statement("dated", "training/training.py:129",
              r"\[(?:after megatron is initialized|after model, optimizer, and learning rate "
              r"scheduler are built|after dataloaders are built|before the start of training step|"
              rf"after training is done)\] {_DATE}", lambda _job: (0,) * 5),
    Statement("building", "pretrain_gpt.py:79", r"building GPT model \.\.\."),
    Statement("parameters", "training/training.py:961",
              r" > number of parameters on \(tensor, pipeline\) model parallel rank "
              r"\(\d+, \d+\): \d+", on.slices, guard="mpu.get_data_parallel_rank() == 0"),
    Statement("wrapper", "core/distributed/distributed_data_parallel.py:65",
              rf"{_CORE}distributed\.distributed_data_parallel:Setting up DistributedDataParallel "
              r"with config DistributedDataParallelConfig\(.*\)"),
    Statement("buckets", "core/distributed/param_and_grad_buffer.py:706",
              rf"{_CORE}distributed\.param_and_grad_buffer:Number of buckets for gradient "
              r"all-reduce / reduce-scatter: 1", on.stages, guard="the first rank of each stage"),
    Statement("bucket", "core/distributed/param_and_grad_buffer.py:706",
              r"Params for bucket 1 \(\d+ elements, \d+ padded size\):", on.stages),
    Statement("bucket-weight", "core/distributed/param_and_grad_buffer.py:706",
              r"\tmodule\.[\w.]+", None),
    Statement("optimizer", "core/optimizer/__init__.py:458",
              rf"{_CORE}optimizer:Setting up optimizer with config OptimizerConfig\(.*\)"),
    Statement("iterations", "training/training.py:885",
              r"setting training iterations to \d+", where(on.ramped), guard="args.train_samples"),
    Statement("decay", "core/optimizer_param_scheduler.py:96",
              rf"{_CORE}optimizer_param_scheduler:> learning rate decay style: (?:cosine|linear)"),
    Statement("missing", "training/checkpointing.py:926",
              r"WARNING: could not find the metadata file \S+/latest_checkpointed_iteration\.txt",
              where(on.from_random)),
    Statement("random", "training/checkpointing.py:927",
              r"    will not load any checkpoints and will start from random",
              where(on.from_random)),
    Statement("release", "training/checkpointing.py:944",
              r" loading release distributed checkpoint from \S+", where(on.released)),
    Statement("resuming", "training/checkpointing.py:946",
              r" loading distributed checkpoint from \S+ at iteration \d+", where(goes_on)),
    Statement("version", "training/checkpointing.py:1386", r" checkpoint version 3\.0",
              where(on.loads)),
    Statement("loaded", "training/checkpointing.py:1476",
              rf"  successfully loaded checkpoint from \S+ {_SPLIT} at iteration \d+",
              where(on.loads)),
    Statement("timers", "core/timers.py:341", r"\(min, max\) time across ranks \(ms\):", on.timers,
              "last"),
    Statement("load-timer", "core/timers.py:341", rf"    load-checkpoint {_TIMER}", ranks="last"),
    Statement("datasets", "training/training.py:2355",
              r"> building train, validation, and test datasets \.\.\."),
    Statement("sizes", "training/training.py:2340",
              r" > datasets target sizes \(minimum size\):"),
    Statement("size", "training/training.py:2341",
              r"    (?:train:     |validation:|test:      ) \d+", lambda _job: (0, 0, 0)),
    Statement("matrix", "core/datasets/blended_megatron_dataset_config.py:106",
              rf"{_DATA}blended_megatron_dataset_config:Let split_matrix = \[.*\]"),
    Statement("for-gpt", "pretrain_gpt.py:302",
              r"> building train, validation, and test datasets for GPT \.\.\."),
    Statement("splits", "core/datasets/blended_megatron_dataset_builder.py:56",
              rf"{_DATA}blended_megatron_dataset_builder:Building GPTDataset splits with sizes=.*"),
    Statement("index", "core/datasets/indexed_dataset.py:235",
              rf"{_DATA}indexed_dataset:Load the _IndexReader from \S+\.idx"),
    Statement("extract", "core/datasets/indexed_dataset.py:256",
              rf"{_DATA}indexed_dataset:\tExtract the (?:sequence lengths|sequence pointers|"
              r"document indices)", lambda _job: (0, 0, 0)),
    Statement("documents", "core/datasets/indexed_dataset.py:306",
              rf"{_DATA}indexed_dataset:> total number of (?:sequences|documents): \d+",
              lambda _job: (0, 0)),
    Statement("indices", "core/datasets/gpt_dataset.py:357",
              rf"{_DATA}gpt_dataset:Build and save the GPTDataset (?:train|valid|test) indices",
              lambda _job: (0, 0, 0)),
    Statement("samples", "core/datasets/gpt_dataset.py:478",
              rf"{_DATA}gpt_dataset:> total number of samples: \d+", lambda _job: (0, 0, 0)),
    Statement("epochs", "core/datasets/gpt_dataset.py:481",
              rf"{_DATA}gpt_dataset:> total number of epochs: \d+", lambda _job: (0, 0, 0)),
    Statement("built", "pretrain_gpt.py:311", r"> finished creating GPT datasets \.\.\."),
    Statement("done", "training/training.py:784", r"done with setup \.\.\."),
    Statement("setup-timer", "core/timers.py:341", rf"    model-and-optimizer-setup {_TIMER}",
              ranks="last"),
    Statement("data-timer", "core/timers.py:341",
              rf"    train/valid/test-data-iterators-setup {_TIMER}", ranks="last"),
    Statement("training", "training/training.py:792", r"training \.\.\."),
    Statement("current", "training/training.py:1832",
              r"Setting rerun_state_machine\.current_iteration to \d+\.\.\."),
)  # fmt: skip
_TRAINING = (
    Statement("grows", "core/num_microbatches_calculator.py:469",
              rf"{_CALCULATOR}ramping up batch size from \d+ to \d+", on.grown),
    Statement("iteration", "training/training.py:1581",
              r" \[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] iteration +(?P<step>\d+)/ *\d+ \| consumed "
              r"samples: +\d+ \| elapsed time per iteration \(ms\): \d+\.\d \| throughput per GPU "
              rf"\(TFLOP/s/GPU\): \d+\.\d \| learning rate: {_FLOAT} \| global batch size: +\d+ \| "
              rf"(?:lm loss: {_FLOAT} \| )?loss scale: \d+\.0 \| (?:grad norm: \d+\.\d{{3}} \| )?"
              r"number of skipped iterations: [ \d]{3} \| number of nan iterations: [ \d]{3} \|",
              on.logged, "last", _BETWEEN),
    Statement("blocks", "training/theoretical_memory_usage.py:136",
              r"Number of parameters in transformer block in billions:  \d+\.\d\d"),
    Statement("embeddings", "training/theoretical_memory_usage.py:145",
              r"Number of parameters in embedding layers in billions: \d+\.\d\d"),
    Statement("total", "training/theoretical_memory_usage.py:149",
              r"Total number of parameters in billions: \d+\.\d\d"),
    Statement("shard", "training/theoretical_memory_usage.py:162",
              r"Number of parameters in most loaded shard in billions: \d+\.\d{4}"),
    Statement("others", "training/theoretical_memory_usage.py:174",
              r"Number of parameters in other shards in billions: \d+\.\d{4}",
              where(lambda job: job.layout.pp > 1), guard="pipeline_model_parallel_size > 1"),
    Statement("activation", "training/theoretical_memory_usage.py:202",
              r"Activation memory footprint per transformer layer: \d+\.\d MB",
              where(with_activations)),
    Statement("penalty", "training/theoretical_memory_usage.py:232",
              r"Memory penalty from interleaved schedule: \d\.\d\d",
              where(lambda job: with_activations(job) and job.layout.interleave > 1)),
    Statement("in-flight", "training/theoretical_memory_usage.py:234 and 246",
              r"Number of in-flight microbatches: \d+",
              where(lambda job: with_activations(job) and job.layout.pp > 1)),
    Statement("footprint", "training/theoretical_memory_usage.py:284",
              r"Theoretical memory footprints: weight and optimizer=\d+\.\d\d MB"
              r"(?:, activation=\d+\.\d\d MB, total=\d+\.\d\d MB)?"),
    Statement("footprint-end", "training/theoretical_memory_usage.py:284", r"",
              where(with_activations),
              guard="sequence_parallel and recompute_granularity == 'selective'"),
    Statement("memory", "training/utils.py:273",
              r"\[Rank \d+\] \(after \d+ iterations\) memory \(MB\) \| allocated: \d+\.\d+ \| max "
              r"allocated: \d+\.\d+ \| reserved: \d+\.\d+ \| max reserved: \d+\.\d+", on.slices,
              guard="mpu.get_data_parallel_rank() == 0, after the first line"),
    Statement("mode", "core/rerun_state_machine.py:245",
              rf"{_RERUN}Setting RerunStateMachine mode RerunMode\.DISABLED", on.modes),
    Statement("evaluate-timer", "training/training.py:2252", rf"    evaluate {_TIMER}",
              on.evaluations, "last"),
    Statement("rule", "training/training.py:2305", r"-{90,}", lambda job: on.evaluations(job) * 2,
              "last"),
    Statement("validation", "training/training.py:2306",
              rf" validation loss at iteration (?P<step>\d+) \| lm loss value: {_FLOAT} \| "
              rf"lm loss PPL: {_FLOAT} \| ", on.evaluated, "last",
              "iteration % eval_interval == 0"),
    Statement("saving", "training/checkpointing.py:361",
              r"saving checkpoint at iteration +(?P<step>\d+) to \S+ in torch_dist format",
              on.saved),
    Statement("storing", "training/checkpointing.py:412",
              r"Storing distributed optimizer sharded state of type fully_sharded_model_space",
              where(arguments.distributed_optimizer, lambda job: (0,) * len(on.saved(job)))),
    Statement("scheduled", "training/checkpointing.py:566",
              r"  scheduled an async checkpoint save at iteration +(?P<step>\d+) to \S+",
              where(lambda job: job.background_saves, on.saved), guard="args.async_save"),
    Statement("saved", "training/checkpointing.py:529",
              r"  successfully saved checkpoint from iteration +(?P<step>\d+) to \S+ " + _SPLIT,
              on.saved),
    Statement("save-timer", "training/training.py:1663", rf"    save-checkpoint {_TIMER}",
              lambda job: (0,) * len([*on.timed(job)]), "last", "not for a save after the loop"),
    Statement("evaluating", "training/training.py:2173", r"Evaluating on \d+ samples",
              lambda _job: (0, 0), guard="verbose"),
    Statement("batch", "training/training.py:2177", r"Evaluating iter \d+/\d+",
              lambda job: (0,) * (2 * job.schedule.validation_batches), guard="verbose"),
    Statement("final", "training/training.py:2306",
              r" validation loss at iteration \d+ on (?:validation|test) set \| lm loss value: "
              rf"{_FLOAT} \| lm loss PPL: {_FLOAT} \| ", lambda _job: (0, 0), "last"),
    *LEAKED,
)  # fmt: skip
STATEMENTS = (*_LAUNCH, *_TRAINING)

# In the loop an evaluation comes before a save; a save in the background ends at any step.
_FINAL = "mode evaluating batch+ timers evaluate-timer mode mode rule final rule"
ORDER = f"""
torchrun* world no-overlap? virtual (unchecked | fp32) weights arguments argument+ arguments-end
(constant | ramp initial) tokenizer padded one-logger rerun distributed tensor pipeline seeds
builder make+ builder-done
unfused? kernels barrier* nccl* kernels-done initialized dated building parameters+ wrapper
(buckets bucket bucket-weight+)+ optimizer iterations? decay
(missing random | (release | resuming) version loaded) timers load-timer dated
datasets sizes size+ matrix for-gpt splits index extract+ documents+ (indices samples epochs)+ built
dated done timers setup-timer data-timer training current dated
(saved? iteration
 (blocks embeddings total shard others? (activation (penalty? in-flight)?)? footprint footprint-end?
  memory+)?
 (mode timers evaluate-timer mode mode rule validation rule)?
 saved? (grows? saved? saving storing? (scheduled timers save-timer | saved timers save-timer))?
 | saved
 | grows saving storing? (scheduled timers save-timer | saved timers save-timer)
 | mode timers evaluate-timer mode mode rule validation rule
 | saving storing? (scheduled timers save-timer | saved timers save-timer))+
(saved? dated saving storing? (scheduled | saved)
 | saving storing? (scheduled saved | saved) timers save-timer dated
 | dated)
{_FINAL} {_FINAL} saved? leaked*
"""
OLDER = {"core_v0.8.0": older(STATEMENTS)}
