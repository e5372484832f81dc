"""The workshop kit: everything a class needs, made of the lessons by `tinyml workshop`."""
