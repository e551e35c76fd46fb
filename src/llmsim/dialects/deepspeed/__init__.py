"""The dialect `deepspeed`: lines.py has what it prints."""
