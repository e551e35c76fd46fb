"""Model FLOPs utilization as some programs reckon it, which is not as throughput.mfu does.

Their FLOPs per token leave nothing out of N (throughput.flops_per_token leaves out the input
embedding), or halve the attention; their peaks are those of a list of their own.
"""

from llmsim.job.records import Job, batch_tokens
from llmsim.model.architecture import parameter_count, position_parameters

# What nanoGPT takes for the peak of any GPU.
A100_TFLOPS = 312.0


def nanogpt(job: Job, seconds: float) -> float:
    """What nanoGPT's estimate_mfu (model.py) calls MFU for a step of so many seconds.

    6 N + 12 L H Q T with every weight in N but the positions, in units of an A100's 312 TFLOP/s:
    on faster GPUs it may exceed what the GPU does, and 1.
    """
    shape, sequence = job.architecture, job.schedule.sequence
    attention = 12 * shape.layers * shape.heads * shape.head_width * sequence
    per_token = 6.0 * (parameter_count(shape) - position_parameters(shape)) + attention
    per_gpu = batch_tokens(job) / job.layout.gpus / seconds
    return per_token * per_gpu / (A100_TFLOPS * 1e12)


def llmc(job: Job, seconds: float, tflops: float) -> float:
    """What llm.c's gpt2_estimate_mfu calls MFU: 6 N + 6 L C T, the causal half of attention.

    -1 if `tflops`, the peak that it knows of the GPU, is unknown (negative).
    """
    if tflops < 0:
        return -1.0
    shape, sequence = job.architecture, job.schedule.sequence
    per_token = 6.0 * parameter_count(shape) + 6 * shape.layers * shape.width * sequence
    return per_token * batch_tokens(job) / job.layout.gpus / seconds / (tflops * 1e12)
