"""What people and programs say of the models: versions, parameters, events and more."""
