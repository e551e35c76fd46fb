"""The dialect `hf`: lines.py has what it prints."""
