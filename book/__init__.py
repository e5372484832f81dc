"""The book: the lessons, the package's reference and the glossary as a static site (`make book`)."""
