"""Amaranth components generated from specs. They know no board and no pins."""
