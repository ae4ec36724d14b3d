"""Devices and published rules in floating point: what integer networks stand for, and what they are judged by."""
