"""The dialect `maxtext`: lines.py has what it prints."""
