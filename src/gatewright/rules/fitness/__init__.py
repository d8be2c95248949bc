"""Is an evaluation set still like the traffic, and are its rows unknown to the model?"""
