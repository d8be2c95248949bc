"""The wrappers through which effects reach the world: files, processes, HTTP, git; failpoints live in them."""
