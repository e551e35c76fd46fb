"""The dialect `nanotron`: lines.py has what it prints."""
