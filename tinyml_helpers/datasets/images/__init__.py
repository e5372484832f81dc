"""Fashion-MNIST, faces, photos and scenes."""
