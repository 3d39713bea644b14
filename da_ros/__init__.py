"""Dense depth from any robot camera with small Depth Anything models."""

# The generated ``da_ros.msg`` may live in another folder of the same name (a CMake install beside
# a source tree); both are one package.
from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
