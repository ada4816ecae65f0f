"""HTTP: authentication, the two Falcon apps and their hosting on waitress; no other room knows these libraries."""
