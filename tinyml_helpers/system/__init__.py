"""The ground: folders, downloads, files of strangers, compatibility, tables."""
