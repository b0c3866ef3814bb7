"""Several columns together: classifiers, components, kernels, clusters."""
