"""The dialect `nanogpt`: lines.py has what it prints."""
