# SPDX-License-Identifier: Apache-2.0


class Broken(Exception):
    """Something that must never be."""
