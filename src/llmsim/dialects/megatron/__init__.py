"""The dialect `megatron`: lines.py has what it prints."""
