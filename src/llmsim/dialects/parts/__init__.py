"""Output that several frameworks share: launchers, NCCL, nvidia-smi, progress bars."""
