"""The model server process and the evaluation process: the only places where a model is loaded."""
