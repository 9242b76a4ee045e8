"""The book of all tables, from their files: python -m experiments.report [FOLDER]"""

import sys
from pathlib import Path

from experiments.errors import UsageError
from experiments.report.book import write_book

if __name__ == "__main__":
    try:
        print(f"The book of all tables: {write_book(Path(*sys.argv[1:2] or ['results']))}")
    except UsageError as error:
        sys.exit(f"error: {error}")
