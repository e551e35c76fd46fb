"""Settings of all tests."""

from hypothesis import settings

# Speed is measured by `make bench`, never by a test: a busy machine makes no test fail. And the
# same examples every time, so that a failure belongs to the change that is tested;
# `pytest --hypothesis-profile=curious` looks further.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("curious", deadline=None)
settings.load_profile("steady")
