"""What Hugging Face's Trainer prints, for the dialects that are built on it (5.23.0).

File and line numbers are from this release.
"""
