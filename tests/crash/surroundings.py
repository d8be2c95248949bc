"""What the warmed process is started with: one thread per library, so that it may fork."""

SURROUNDINGS = {
    "POLARS_MAX_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # A thread of the allocator would be lost in each fork.
    "_RJEM_MALLOC_CONF": "background_thread:false",
}
