"""Deployment: out of the framework, into a file that a runtime on a device reads."""
