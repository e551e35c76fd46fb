"""Settings of all tests."""

from hypothesis import settings

# Speed is measured by `make bench`, never by a test: a busy machine makes no test fail.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
