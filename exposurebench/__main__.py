"""``python -m exposurebench`` is the command ``exposurebench``."""

from exposurebench.cli import main

if __name__ == "__main__":
    main()
