"""What the services of one cloud share: credentials, clients and errors. One module per cloud."""
