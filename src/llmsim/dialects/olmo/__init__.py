"""The dialect `olmo`: lines.py has what it prints."""
