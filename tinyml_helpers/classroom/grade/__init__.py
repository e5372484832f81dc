"""Grade handed-in notebooks: each answer runs in one locked process, and is judged in another.

A submission is code by somebody else. It never runs in this process: a locked one runs the statements
that its answer needs and hands the answer over as plain data. Functions stay there, and are called
across the border. So whatever runs there can give an answer, and never a verdict. The data, too, is
read in a locked process only: a line goes from one to the other, and this process sees the verdict.
"""
