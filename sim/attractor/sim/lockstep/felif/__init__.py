"""The lockstep bench of spiking networks."""
