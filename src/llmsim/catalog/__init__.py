"""What a person edits: the lists in data/, read into records."""
