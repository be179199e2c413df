"""`lint`: what would be wrong with labels and documents, told before anybody reads them, without a control plane."""
