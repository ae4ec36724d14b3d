"""Data sets to train on: their files, and nothing about networks."""
