"""Other packages over PyMetallic, a module each; importing one installs it. None is imported by the package itself."""
