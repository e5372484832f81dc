"""For whoever teaches: grading, and the workshop kit."""
