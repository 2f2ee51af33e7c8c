"""Looking for malware: signed manifests first, then PHP where none belongs, rules on the unknown rest, the database.

The flow: scan.py (worker) asks the host (hosted/scan.py); judge.py and database.py say what is wrong, pure; search.py
has the rest judged by the host's own yara-x (on_host.py, hosted/yara.py) or by scanner.py, a process with no files and
no network: both run hosted/scanner/looking.py; findings.py keeps what was found; pages.py shows it.
"""
