"""Vibration of machines: simulated, public, and your own."""
