"""The dialect `olmo`: framework.py has the framework's traits, lines.py what it prints."""
