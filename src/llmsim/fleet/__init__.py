"""Many runs at once: a data set of logs, telemetry and labels, made from one SPEC file."""
