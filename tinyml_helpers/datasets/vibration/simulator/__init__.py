"""Machines that are simulated: bearings, loads, and what shakes them."""
