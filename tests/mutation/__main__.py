"""`python tests/mutation`, or `make mutate`: see trial.py."""

import os
import sys

from trial import main

if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
