"""The dialect `nemo`: lines.py has what it prints."""
