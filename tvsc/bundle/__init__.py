"""What is shipped: one archive per node, the same bytes from the same input."""

from tvsc.bundle.manifest import MANIFEST, MANIFEST_VERSION, manifest_text
from tvsc.bundle.write import bundle_name, write_bundle

__all__ = ["MANIFEST", "MANIFEST_VERSION", "bundle_name", "manifest_text", "write_bundle"]
