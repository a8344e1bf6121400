# Clusters, images, the demo.
