"""`python -m otagate` and the `otagate` console script."""

from otagate.cli.app import main

if __name__ == "__main__":
    main()
