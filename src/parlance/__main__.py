"""`python -m parlance` is the command `parlance`."""

from parlance.cli.main import main

if __name__ == "__main__":
    main()
