"""What survives a crash: the state database and the folders of runs."""
