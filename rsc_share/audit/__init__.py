"""The auditor: a copy of the logs, no decryption key, the same rulebook, a second and slower opinion, a report.

Import from the modules: `source` and `export` (write a copy), `load` and `replay` (check one), `report`, `html`,
`terminal` (say what was found), `trace` and `disclose` (answer one question), `outcome` (exit codes).
"""
