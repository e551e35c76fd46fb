"""The dialect `lightning`: lines.py has what it prints."""
