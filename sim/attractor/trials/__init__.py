"""Random networks and calls, the same for benches in a simulator and for the acceptance of a device."""
