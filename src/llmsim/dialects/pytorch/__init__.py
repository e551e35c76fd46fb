"""The dialect `pytorch`: lines.py has what it prints."""
