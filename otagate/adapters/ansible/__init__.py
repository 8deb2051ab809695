"""Ansible: raises stages with the playbooks that lie beside the package."""
