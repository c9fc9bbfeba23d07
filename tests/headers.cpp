// Nothing: a target needs a file, and this one has the precompiled headers of the unit tests.
