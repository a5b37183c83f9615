"""`orchestra workflow …`: Argo Workflows run in a folder of this machine, without a server."""
