"""The exercises, one module a lesson; `tinyml_helpers.course.check` finds them."""
