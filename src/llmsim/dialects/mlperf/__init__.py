"""The dialect `mlperf`: lines.py has what it prints."""
