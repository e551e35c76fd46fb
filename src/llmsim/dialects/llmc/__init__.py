"""The dialect `llmc`: lines.py has what it prints."""
