"""The dialect `trl`: lines.py has what it prints."""
