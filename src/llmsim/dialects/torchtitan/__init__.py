"""The dialect `torchtitan`: lines.py has what it prints."""
