"""Parts that tests share: free ports, waiting for a condition, programs that end with their test, the Envoy binary."""
