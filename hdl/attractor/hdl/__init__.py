"""Amaranth components generated from specs. They know no board and no pins."""

__all__: list[str] = []
