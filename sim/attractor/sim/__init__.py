"""Simulated boards: the golden model and the compiled gateware behind the real protocol bytes."""
