"""What Envoys measure and what the control plane measures of itself: received, kept for a minute, shown.

Load reports and Envoy's metrics service come in over gRPC and become sums in sliding windows; what the control plane's
own streams do is counted and shown to Prometheus. Judges nothing: what a number means for a rollout is `control`'s.
"""
