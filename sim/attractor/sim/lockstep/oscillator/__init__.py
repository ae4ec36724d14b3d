"""The lockstep bench of oscillator networks."""
