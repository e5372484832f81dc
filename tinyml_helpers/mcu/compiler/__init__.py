"""From a graph to C: lowering, the plan of memory, and the text."""
