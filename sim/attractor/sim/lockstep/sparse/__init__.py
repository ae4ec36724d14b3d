"""The lockstep bench of oscillator networks with sparse couplings."""
