"""Looking for malware: signed manifests first, then PHP where none belongs, rules on the unknown rest, the database.

The flow: scan.py (worker) asks the host (hosted/scan.py); judge.py and database.py say what is wrong, pure; what has to
be read goes to scanner.py, a process with no files and no network; findings.py keeps what was found; pages.py shows it.
"""
