"""Jobs of small devices, whole: from what a sensor gives to a firmware that answers.

Each is a folder with the same doors; see README.md beside this file.
"""
