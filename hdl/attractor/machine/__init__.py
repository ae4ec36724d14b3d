"""What every room asks of the machine that it runs on: files written whole, a cache, programs. Knows no network."""
