"""Project → neutral Pipeline → the files of a CI system. Pure: text out, nothing read or written."""
