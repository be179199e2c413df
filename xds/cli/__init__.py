"""The command line: words in, HTTP or an Envoy out. `main` is the command; every other module is one idea.

Importing a module here costs typer and nothing else: what a command needs is imported when it runs, so that
`fairlead --help` answers at once.
"""
