"""Learning rules: data in, integer parameters of a spec out. Needs no simulator and no device."""
