"""The lockstep bench of Equilibrium Propagation arrays."""
