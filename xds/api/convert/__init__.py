"""From documents to the values of the model and back; the only place that knows both.

Pointers of the model's errors are turned into pointers of the caller's document here.
"""
