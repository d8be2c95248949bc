"""The wrappers through which effects reach the world: files, processes, HTTP. Failpoints live here and in the commit."""
