"""Ising and Potts problems on oscillators: problems, their files, samplers."""
