"""What several frameworks print alike: launchers, NCCL, nvidia-smi, progress bars."""
