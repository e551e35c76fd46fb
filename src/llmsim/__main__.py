"""`python -m llmsim` and the llmsim command."""

import gc
import sys

INTERRUPTED = 130  # ExitStatus.SIGINT of hosts/status.py; here before anything is imported


def main() -> int:
    """Runs the command line of this process and returns its exit status."""
    try:
        if sys.argv[1:2] == ["fleet"]:
            from llmsim.fleet.command import main as fleet

            return fleet(sys.argv[2:])
        # Nothing that is imported is garbage: to look for some takes a twentieth of the start.
        gc.disable()
        from llmsim import cli  # here, so that an interrupt during the imports is met too

        gc.freeze()
        gc.set_threshold(10_000)  # a plan makes thousands of records, and no circle of them
        gc.enable()
        return cli.main(sys.argv[1:], ends_process=True)
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
