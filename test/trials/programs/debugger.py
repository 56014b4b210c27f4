"""Runs debugged.py below pdb, with commands on its standard input."""
import os
import pdb

pdb.main.__globals__["sys"].argv[:] = [
    "pdb", os.path.join(os.path.dirname(os.path.abspath(__file__)), "debugged.py")]
pdb.main()
